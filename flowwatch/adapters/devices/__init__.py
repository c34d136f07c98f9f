"""What counting devices send becomes readings: one small module a family of devices, all of them the same pure function.

    read(message, devices) -> Batch

`message.py` has what a message is and whose counter a device's messages are; `sheet.py` makes the batch and gives each reading its identity;
`families.py` is the list of all families. Nothing here opens a file or a connection, keeps anything between two messages, or raises for any bytes.
"""
