"""Detection by models in the ONNX format: `pip install 'frameloom[detect]'`.

On the command line it is a COMMAND:

    frameloom -i rtmp://HOST/live/in rtmp://HOST/live/out -- python3 -m frameloom.detect MODEL.onnx

In a loop of one's own:

    import frameloom
    from frameloom.detect import Detector

    detector = Detector("yolo11n.onnx", classes=["person"])
    with frameloom.open(source) as video, video.output(target) as out:
        for frame in video:
            detector(frame).draw(frame)
            out.write(frame)
"""

from ._data import data
from ._detections import Detection, Detections
from ._detector import Detector
from ._redactor import Redactor
from ._track import Tracker

for _public in (Detection, Detections, Detector, Redactor, Tracker, data):
    _public.__module__ = __name__
del _public

__all__ = ["Detection", "Detections", "Detector", "Redactor", "Tracker", "data"]
