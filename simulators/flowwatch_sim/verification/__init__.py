"""Is the arithmetic of the simulator right? Cases whose answer is known by formula or from codes and experiments, each run through the real code.

case.py        what a case is
sites.py       the small places and crowds that the cases are about
walking.py     how people walk               gates.py       how gates and widths serve
presence.py    who is there when             draws.py       what is drawn, and what may be said of it
fitting.py     a known demand found again in its counts
measured.py    what real counts are held against
cases.py       all of them, in order: others' cases join the list there
report.py      the page; `python -m flowwatch_sim.verification` writes it
"""
