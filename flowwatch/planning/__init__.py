"""How a plan is shown and told to people: the whole of it (`explain`), what changed in it (`diff`), and as a picture (`diagram`).

All of it reads the compiled record and nothing else, so what people see is what the engine runs on; and nothing of it decides anything.
"""
