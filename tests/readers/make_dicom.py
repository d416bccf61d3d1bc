"""Writes a DICOM slide that is white but for a dark rectangle, with everything else of another one. With HALF.dcm also a level of half the size.

python make_dicom.py SOURCE.dcm OUTPUT.dcm X Y WIDTH HEIGHT [HALF.dcm]
"""

import sys

import numpy
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

source, output = sys.argv[1:3]
x, y, width, height = map(int, sys.argv[3:7])
slide = pydicom.dcmread(source)
matrix = numpy.full((slide.TotalPixelMatrixRows, slide.TotalPixelMatrixColumns, 3), 250, numpy.uint8)
matrix[y : y + height, x : x + width] = 40
rows, columns = slide.Rows, slide.Columns


def frames(matrix):
    for row in range(0, matrix.shape[0], rows):
        for column in range(0, matrix.shape[1], columns):
            frame = numpy.full((rows, columns, 3), 250, numpy.uint8)
            part = matrix[row : row + rows, column : column + columns]
            frame[: part.shape[0], : part.shape[1]] = part
            yield frame.tobytes()


slide.PixelData = b"".join(frames(matrix))
slide.save_as(output)

if len(sys.argv) > 7:
    half = matrix.reshape(matrix.shape[0] // 2, 2, matrix.shape[1] // 2, 2, 3).mean((1, 3)).round().astype(numpy.uint8)
    parts = list(frames(half))
    slide.TotalPixelMatrixRows, slide.TotalPixelMatrixColumns = half.shape[:2]
    slide.NumberOfFrames = len(parts)
    measures = slide.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = [2 * float(side) for side in measures.PixelSpacing]
    # Frames from the last to the first, each with its place.
    slide.PixelData = b"".join(parts[::-1] + [b"\0"] * (sum(map(len, parts)) % 2))
    slide.DimensionOrganizationType = "TILED_SPARSE"
    across = -(-half.shape[1] // columns)
    items = []
    for number in reversed(range(len(parts))):
        place = Dataset()
        place.ColumnPositionInTotalImagePixelMatrix = number % across * columns + 1
        place.RowPositionInTotalImagePixelMatrix = number // across * rows + 1
        item = Dataset()
        item.PlanePositionSlideSequence = [place]
        items.append(item)
    slide.PerFrameFunctionalGroupsSequence = items
    slide.SOPInstanceUID = slide.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    slide.save_as(sys.argv[7])
