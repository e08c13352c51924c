"""TensorRT: plans for the GPU that is there, and a compile check for GPUs that are not."""

from ernie_triton.build.tensorrt.plan import build_plan
from ernie_triton.gpu.plans import PlanFacts

__all__ = ["PlanFacts", "build_plan"]
