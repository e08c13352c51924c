"""The table of images agrees with itself and with what is known of the GPUs."""

from __future__ import annotations

import pytest

from ernie_triton.gpu.images import GPUS, IMAGES, TritonImage, image_tagged, sm_of, version_of


def test_a_v100_is_served_by_24_09_alone_and_without_int8() -> None:
    v100 = next(gpu for gpu in GPUS if gpu.name == "V100")
    assert (v100.tags, v100.has_int8) == (("24.09",), False)


def test_every_other_gpu_before_blackwell_is_served_by_every_image_with_int8() -> None:
    for gpu in GPUS[1:]:
        assert gpu.has_int8
        if version_of(gpu.compute_capability) < (10,):
            assert gpu.tags == tuple(image.tag for image in IMAGES)


def test_blackwell_is_served_by_images_whose_cuda_knows_it() -> None:
    tags = {gpu.compute_capability: gpu.tags for gpu in GPUS}
    assert tags["10.0"] == tags["12.0"] == ("25.03", "26.04", "26.08")
    assert tags["10.3"] == tags["12.1"] == ("26.04", "26.08")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.tag)
def test_the_driver_of_an_image_is_not_older_than_the_oldest_that_runs_it(
    image: TritonImage,
) -> None:
    assert version_of(image.driver) > version_of(image.oldest_driver)


def test_images_are_listed_from_old_to_new() -> None:
    for part in ("tag", "tensorrt", "cuda", "driver"):
        versions = [version_of(getattr(image, part)) for image in IMAGES]
        assert versions == sorted(versions)


def test_an_image_is_found_by_its_tag() -> None:
    found = image_tagged("24.09")
    assert found is not None
    assert found.tensorrt == "10.4.0"
    assert image_tagged("19.01") is None


def test_a_compute_capability_has_a_short_name() -> None:
    assert [sm_of("7.5"), sm_of("10.0")] == ["sm75", "sm100"]
