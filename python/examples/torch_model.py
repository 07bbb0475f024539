"""Give frames to a torch model without a copy, and write how sure it is on every frame.

    python3 torch_model.py MODEL.pt INPUT OUTPUT

MODEL.pt is a TorchScript classifier of (1, 3, 224, 224), normalised as ImageNet's models are. The
tensor is torch's view of the memory that Frameloom filled; on a GPU, `.to("cuda")` is the one copy.
"""

import sys

import torch

import frameloom

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main() -> None:
    path, source, target = sys.argv[1:]
    model = torch.jit.load(path).eval()
    with frameloom.open(source) as video, video.output(target) as out, torch.no_grad():
        for frame in video:
            tensor, _ = frame.tensor(224, fit="crop", mean=MEAN, std=STD)
            scores = model(torch.from_dlpack(tensor)).softmax(1)[0]
            best = int(scores.argmax())
            frame.draw.text((8, 8), f"class {best}: {float(scores[best]):.2f}", size=20)
            out.write(frame)


if __name__ == "__main__":
    main()
