"""The names of COCO's classes: what models that say nothing else were trained on."""

COCO = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat"),
    *("dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack"),
    *("umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball"),
    *("kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket"),
    *("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair"),
    *("couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse"),
    *("remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink"),
    *("refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
    "toothbrush",
)

# The numbers that COCO itself gave to nothing, of 0 to 90.
_UNUSED = frozenset((0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83))


def _by_number() -> tuple[str, ...]:
    names = iter(COCO)
    return tuple(f"unused {n}" if n in _UNUSED else next(names) for n in range(91))


COCO_BY_NUMBER = _by_number()
"""The same by COCO's own numbers, 0 to 90, of which some are unused."""
