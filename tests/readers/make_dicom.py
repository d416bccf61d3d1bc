"""Writes a DICOM slide that is white but for a dark rectangle, with everything else of another one.

python make_dicom.py SOURCE.dcm OUTPUT.dcm X Y WIDTH HEIGHT
"""

import sys

import numpy
import pydicom

source, output = sys.argv[1:3]
x, y, width, height = map(int, sys.argv[3:])
slide = pydicom.dcmread(source)
matrix = numpy.full((slide.TotalPixelMatrixRows, slide.TotalPixelMatrixColumns, 3), 250, numpy.uint8)
matrix[y : y + height, x : x + width] = 40
rows, columns = slide.Rows, slide.Columns
frames = [
    matrix[row : row + rows, column : column + columns]
    for row in range(0, matrix.shape[0], rows)
    for column in range(0, matrix.shape[1], columns)
]
slide.PixelData = b"".join(frame.tobytes() for frame in frames)
slide.save_as(output)
