"""What a user sees: every view is a pure function of a plan, a state or an outcome, with a text twin.

Reads plans, events and outcomes, returns HTML, text or a picture; two modules draw live (`panel`, `live_text`).
May touch: ipywidgets and IPython's display (panel, frozen), matplotlib (plots). DESIGN.md sections 5 and 6.
"""
