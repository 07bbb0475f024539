"""The edit as a COMMAND with frames in shared memory."""

import frameloom.command

for frame in frameloom.command.frames():
    frame.array[10:50, 10:200] = 255
