"""Reads a DICOM Segmentation with highdicom and tells what it has found, as JSON; places are in millimetres in the slide's coordinate system.

python read_dicom_seg.py SEGMENTATION.dcm SLIDE.dcm X Y (of a place in the slide's pixels)
"""

import json
import sys

import highdicom
import numpy
import pydicom


def places(image, columns_and_rows):
    origin = image.TotalPixelMatrixOriginSequence[0]
    measures = image.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    transformer = highdicom.spatial.PixelToReferenceTransformer(
        image_position=(float(origin.XOffsetInSlideCoordinateSystem), float(origin.YOffsetInSlideCoordinateSystem), 0.0),
        image_orientation=[float(value) for value in image.ImageOrientationSlide],
        pixel_spacing=[float(value) for value in measures.PixelSpacing],
    )
    # Indices there are whole pixels; a place between two of them is reached along the line through them.
    corner, right, below = transformer(numpy.array([[0, 0], [1, 0], [0, 1]]))
    column, row = columns_and_rows
    return list(corner + column * (right - corner) + row * (below - corner))


seg = highdicom.seg.segread(sys.argv[1])
slide = pydicom.dcmread(sys.argv[2])
matrix = seg.get_total_pixel_matrix(combine_segments=True)
rows, columns = numpy.nonzero(matrix)
description = seg.get_segment_description(1)
json.dump(
    {
        "size": [matrix.shape[1], matrix.shape[0]],
        "set": int((matrix > 0).sum()),
        "segments": seg.number_of_segments,
        "label": description.segment_label,
        "algorithm": str(description.algorithm_type.value),
        "spacing_mm": [float(v) for v in seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing],
        "place": places(seg, [columns.mean(), rows.mean()]) if rows.size else None,
        "expected": places(slide, [float(sys.argv[3]), float(sys.argv[4])]),
        "same": [
            seg.get(name) == slide.get(name)
            for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "ContainerIdentifier", "SpecimenDescriptionSequence")
        ],
        "source": [uid for uids in seg.get_source_image_uids() for uid in uids][:3],
        "uids": [str(seg.SOPInstanceUID), str(seg.SeriesInstanceUID)],
    },
    sys.stdout,
)
