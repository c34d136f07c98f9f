"""A scenario's demand from an archive of counts: who came, when, in what groups, and what of it no archive can tell.

archive.py     counts from the files that `flowwatch ingest` reads
days.py        the archive cut into days of a kind; zeros that were outages
template.py    people an hour, by maximum likelihood
variation.py   how much short counts vary: groups, and the unrest of the rate
staying.py     how long people stay, from who went in and out
fit.py         all of it together, and what a day says that was kept back
drawn.py       counts of simulated days, to hold beside the archive's
writing.py     the scenario file        telling.py   the summary        picture.py   fit against data
"""
