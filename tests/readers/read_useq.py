"""Prints where useq-schema takes the pictures of a sequence, in its order: a list of [x, y] in um."""

import json
import sys

import useq

sequence = useq.MDASequence.from_file(sys.argv[1])
print(json.dumps([[event.x_pos, event.y_pos] for event in sequence]))
