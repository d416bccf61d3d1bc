"""Reads a mask of a slide with tifffile and with OpenSlide and tells what each has found, as JSON: sizes, pixel size, and the mean place of what
is set, in micrometres from the upper left corner.

python read_pyramid.py FILE.ome.tif
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

import numpy
import openslide
import tifffile


def place(mask, um):
    rows, columns = numpy.nonzero(mask > 127)
    return [um * (columns.mean() + 0.5), um * (rows.mean() + 0.5)] if rows.size else None


path = sys.argv[1]
with tifffile.TiffFile(path) as tiff:
    pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    um = float(pixels.get("PhysicalSizeX"))
    levels = tiff.series[0].levels
    by_tifffile = {
        "ome": tiff.is_ome,
        "um_per_px": [um, float(pixels.get("PhysicalSizeY"))],
        "unit": pixels.get("PhysicalSizeXUnit"),
        "resolution_um": 1e4 / (tiff.pages[0].tags["XResolution"].value[0] / tiff.pages[0].tags["XResolution"].value[1]),
        "levels": [[level.shape[1], level.shape[0]] for level in levels],
        "values": sorted({int(value) for level in levels for value in numpy.unique(level.asarray())})[:300],
        "place": place(levels[0].asarray(), um),
        "notes": {entry.get("K"): entry.text for entry in ElementTree.fromstring(tiff.ome_metadata).iter() if entry.tag.endswith("}M")},
    }
slide = openslide.OpenSlide(path)
um = float(slide.properties["openslide.mpp-x"])
grey = numpy.array(slide.read_region((0, 0), 0, slide.dimensions).convert("L"))
by_openslide = {"size": slide.dimensions, "um_per_px": um, "place": place(grey, um)}
json.dump({"tifffile": by_tifffile, "openslide": by_openslide}, sys.stdout)
