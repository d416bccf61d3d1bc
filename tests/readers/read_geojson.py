"""Reads NAME.geojson with geojson and shapely (GEOS, a port of the JTS that QuPath uses) and tells what it found, as JSON.

python read_geojson.py FILE
"""

import json
import sys

import geojson
from shapely.geometry import shape
from shapely.validation import explain_validity

with open(sys.argv[1], encoding="utf-8") as file:
    collection = geojson.load(file)
polygons = [shape(feature.geometry) for feature in collection.features]
json.dump(
    {
        "errors": collection.errors(),
        "invalid": [explain_validity(polygon) for polygon in polygons if not polygon.is_valid],
        "ids": len({feature.id for feature in collection.features}),
        "areas": [polygon.area for polygon in polygons],
        "said": [feature.properties["measurements"]["Area px^2"] for feature in collection.features],
        "centroids": [polygon.centroid.coords[0] for polygon in polygons],
        "centre": [polygon.representative_point().coords[0] for polygon in polygons],
    },
    sys.stdout,
)
