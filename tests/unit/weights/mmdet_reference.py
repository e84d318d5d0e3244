"""RelationNet++ as released, on random weights under its own names, in NumPy.

Written from the structure of the released code, sharing nothing with ours: batch norms stand
apart, attention is one loop over heads, and the location map is sampled in two dimensions.
"""

import numpy as np
from arrays import convolved, group_norm, peaks, relu, sigmoid, softmax

STRIDES = (8, 16, 32, 64, 128)
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
KINDS = ("top_left_corner", "bottom_right_corner", "center")
NAMES = {
    "retinanet": ("retina_cls", "retina_reg"),
    "atss": ("atss_cls", "atss_reg", "atss_centerness"),
    "fcos": ("conv_cls", "conv_reg", "conv_centerness"),
}
KEYS, PER_LEVEL, HEADS = 50, 20, 8


class Released:
    """Weights in `state`, NumPy arrays by their released names, and the forward pass."""

    def __init__(self, host, depth=50, classes=2, width=32, extent=40, seed=0):
        self.host, self.depth, self.width, self.extent = host, depth, width, extent
        self.random = np.random.default_rng(seed)
        self.state = {}
        self.normed = host == "retinanet"  # group norms everywhere, as in its config
        self.backbone()
        wide = 512 if depth == 18 else 2048
        for i, dim in enumerate((wide // 4, wide // 2, wide)):
            self.unit(f"neck.lateral_convs.{i}", dim, width, 1)
        for i in range(5):
            self.unit(f"neck.fpn_convs.{i}", wide if i == 3 and self.normed else width, width, 3)
        for branch in ("cls", "reg"):
            for i in range(2):
                norm = host != "fcos"
                self.unit(f"bbox_head.bbox_head.{branch}_convs.{i}", width, width, 3, norm=norm)
        each = 9 if host == "retinanet" else 1
        for name, out in zip(NAMES[host], (each * classes, each * 4, 1), strict=False):
            self.conv(f"bbox_head.bbox_head.{name}", width, out, 3)
        if host != "retinanet":
            for i in range(5):
                self.state[f"bbox_head.bbox_head.scales.{i}.scale"] = np.array(0.8 + 0.1 * i)
        self.points(classes)
        self.transformer("cls", 1)
        self.transformer("reg", 2)

    def draw(self, *shape, scale=1.0):
        return self.random.normal(0, scale, shape)

    def conv(self, name, dim_in, dim, kernel, bias=True):
        scale = (2 / (dim_in * kernel**2)) ** 0.5
        self.state[f"{name}.weight"] = self.draw(dim, dim_in, kernel, kernel, scale=scale)
        if bias:
            self.state[f"{name}.bias"] = self.draw(dim, scale=0.1)

    def unit(self, name, dim_in, dim, kernel, norm=None):
        """A convolution and, where the config has them, a group norm."""
        norm = self.normed if norm is None else norm
        self.conv(f"{name}.conv", dim_in, dim, kernel, bias=not norm)
        if norm:
            self.state[f"{name}.gn.weight"] = 1 + self.draw(dim, scale=0.1)
            self.state[f"{name}.gn.bias"] = self.draw(dim, scale=0.1)

    def batch_norm(self, name, dim):
        self.state[f"{name}.weight"] = 0.6 + 0.1 * self.draw(dim)
        self.state[f"{name}.bias"] = 0.1 * self.draw(dim)
        self.state[f"{name}.running_mean"] = 0.1 * self.draw(dim)
        self.state[f"{name}.running_var"] = 1 + self.draw(dim) ** 2
        self.state[f"{name}.num_batches_tracked"] = np.array(7)

    def shapes(self, stage, dim_in, stride):
        """Of the convolutions of one block: (channels in, channels out, kernel, stride)."""
        dim = 64 << stage
        if self.depth == 18:
            return [(dim_in, dim, 3, stride), (dim, dim, 3, 1)]
        return [(dim_in, dim, 1, 1), (dim, dim, 3, stride), (dim, 4 * dim, 1, 1)]

    def each_block(self):
        dim = 64
        for stage, count in enumerate(BLOCKS[self.depth]):
            for index in range(count):
                stride = 2 if stage and not index else 1
                shapes = self.shapes(stage, dim, stride)
                projected = stride > 1 or dim != shapes[-1][1]
                yield f"backbone.layer{stage + 1}.{index}.", shapes, projected
                dim = shapes[-1][1]

    def backbone(self):
        self.conv("backbone.conv1", 3, 64, 7, bias=False)
        self.batch_norm("backbone.bn1", 64)
        for place, shapes, projected in self.each_block():
            for i, (dim_in, dim, kernel, _) in enumerate(shapes, 1):
                self.conv(f"{place}conv{i}", dim_in, dim, kernel, bias=False)
                self.batch_norm(f"{place}bn{i}", dim)
            if projected:
                self.conv(f"{place}downsample.0", shapes[0][0], shapes[-1][1], 1, bias=False)
                self.batch_norm(f"{place}downsample.1", shapes[-1][1])

    def points(self, classes):
        head = "bbox_head.keypoint_head.keypoint_"
        self.between = 0 if self.host == "fcos" else 1
        for kind in KINDS:
            for i in range(2):
                self.unit(f"{head}layers.{kind}.{i}", self.width, self.width, 3)
            for group, out in (("cls", classes), ("offset", 2)):
                for i in range(self.between):
                    self.unit(f"{head}{group}_heads.{kind}.{i}", self.width, self.width, 3)
                self.conv(f"{head}{group}_heads.{kind}.{self.between}", self.width, out, 3)

    def transformer(self, branch, count):
        place, dim = f"bbox_head.{branch}_transformer.", self.width
        for i in range(count):
            self.state[f"{place}decoder.{i}.in_proj_weight"] = self.draw(3 * dim, dim, scale=0.3)
            self.state[f"{place}decoder.{i}.in_proj_bias"] = self.draw(3 * dim, scale=0.1)
            self.state[f"{place}decoder.{i}.out_proj.weight"] = self.draw(dim, dim, scale=0.2)
            self.state[f"{place}decoder.{i}.out_proj.bias"] = self.draw(dim, scale=0.1)
        place += "relative_positional_encoding."
        if branch == "reg" and self.host == "atss":  # one module, listed under both names
            first = "bbox_head.cls_transformer.relative_positional_encoding."
            shared = {k: v for k, v in self.state.items() if k.startswith(first)}
            self.state |= {place + k.removeprefix(first): v for k, v in shared.items()}
            return
        self.conv(f"{place}embedding_transform.0.conv", 256, HEADS, 1)
        self.state[f"{place}base_embedding"] = self.sines()

    def sines(self):
        """(1, B + 1, B + 1, 256): sines, then cosines, of x, then of y."""
        offsets = np.arange(self.extent + 1) - self.extent // 2
        phases = offsets[:, None] / 1000 ** (4 / 256 * np.arange(64))
        waves = np.concatenate([np.sin(phases), np.cos(phases)], 1)
        side = len(offsets)
        x = np.broadcast_to(waves[None], (side, side, 128))
        y = np.broadcast_to(waves[:, None], (side, side, 128))
        return np.concatenate([x, y], 2)[None]

    def run_conv(self, x, name, stride=1):
        return convolved(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), stride)

    def run_unit(self, x, name, stride=1, act=True):
        x = self.run_conv(x, f"{name}.conv", stride)
        if f"{name}.gn.weight" in self.state:
            x = group_norm(x, self.state[f"{name}.gn.weight"], self.state[f"{name}.gn.bias"])
        return relu(x) if act else x

    def run_norm(self, x, name):
        weight, bias, mean, var = (
            self.state[f"{name}.{leaf}"][:, None, None]
            for leaf in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * weight + bias

    def run_backbone(self, image):
        mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
        x = (image * 255 - mean[:, None, None]) / std[:, None, None]
        x = self.run_norm(self.run_conv(x, "backbone.conv1", 2), "backbone.bn1")
        x = peaks(relu(x), 2)
        maps = {}
        for place, shapes, projected in self.each_block():
            y = x
            for i, (*_, stride) in enumerate(shapes, 1):
                y = self.run_norm(self.run_conv(y, f"{place}conv{i}", stride), f"{place}bn{i}")
                y = relu(y) if i < len(shapes) else y
            if projected:
                stride = max(shape[3] for shape in shapes)
                x = self.run_conv(x, f"{place}downsample.0", stride)
                x = self.run_norm(x, f"{place}downsample.1")
            x = relu(x + y)
            maps[place.split(".")[1]] = x
        return [maps[f"layer{i}"] for i in (2, 3, 4)]

    def run_neck(self, maps):
        merged = [
            self.run_unit(m, f"neck.lateral_convs.{i}", act=False) for i, m in enumerate(maps)
        ]
        for i in (1, 0):
            merged[i] = merged[i] + merged[i + 1].repeat(2, 1).repeat(2, 2)
        out = [self.run_unit(m, f"neck.fpn_convs.{i}", act=False) for i, m in enumerate(merged)]
        out.append(
            self.run_unit(maps[-1] if self.normed else out[-1], "neck.fpn_convs.3", 2, False)
        )
        return [*out, self.run_unit(out[-1], "neck.fpn_convs.4", 2, False)]

    def run_points(self, maps, kind):
        """Scores, positions, levels and cells of the best points of a kind."""
        head, found = "bbox_head.keypoint_head.keypoint_", []
        for level, (x, stride) in enumerate(zip(maps, STRIDES, strict=True)):
            for i in range(2):
                x = self.run_unit(x, f"{head}layers.{kind}.{i}")
            parts = []
            for group in ("cls", "offset"):
                y = x
                for i in range(self.between):
                    y = self.run_unit(y, f"{head}{group}_heads.{kind}.{i}")
                parts.append(self.run_conv(y, f"{head}{group}_heads.{kind}.{self.between}"))
            score = sigmoid(parts[0])
            score = score * (score == peaks(score))
            best = np.argsort(-score.flatten(), kind="stable")[:PER_LEVEL]
            for at in best:
                _, row, col = np.unravel_index(at, score.shape)
                corner = np.array([col * stride + stride // 2, row * stride + stride // 2])
                place = corner + parts[1][:, row, col] * stride
                found.append((score.flat[at], place, level, row, col))
        best = sorted(found, key=lambda point: -point[0])[:KEYS]
        if not best[-1][0]:
            raise ValueError("less maxima than keys: which cells fill up is left to chance")
        return best

    def location(self, branch, offsets):
        """Logarithm of the learned map at offsets (N, K, 2) in units of 8 pixels: (8, N, K)."""
        place = f"bbox_head.{branch}_transformer.relative_positional_encoding."
        conv = f"{place}embedding_transform.0.conv"
        image = (
            np.tensordot(
                self.state[f"{conv}.weight"][:, :, 0, 0],
                self.state[f"{place}base_embedding"][0],
                ((1,), (2,)),
            )
            + self.state[f"{conv}.bias"][:, None, None]
        )
        side = self.extent + 1
        spot = np.clip(((offsets / (self.extent / 2) + 1) * side - 1) / 2, 0, side - 1)
        low = np.minimum(np.floor(spot).astype(int), side - 2)
        (px, py), (x, y) = np.moveaxis(spot - low, -1, 0), np.moveaxis(low, -1, 0)
        value = (
            image[:, y, x] * (1 - px) * (1 - py)
            + image[:, y, x + 1] * px * (1 - py)
            + image[:, y + 1, x] * (1 - px) * py
            + image[:, y + 1, x + 1] * px * py
        )
        return np.log(np.maximum(value, 1e-6))

    def attended(self, branch, index, queries, places, points, features):
        """What attention number `index` of a branch adds to queries (N, C) at places (N, 2)."""
        place, dim = f"bbox_head.{branch}_transformer.decoder.{index}.", self.width
        keys = np.stack([features[level][:, row, col] for _, _, level, row, col in points])
        weight, bias = self.state[f"{place}in_proj_weight"], self.state[f"{place}in_proj_bias"]
        q, k, v = (
            t @ weight[i * dim : (i + 1) * dim].T + bias[i * dim : (i + 1) * dim]
            for i, t in enumerate((queries, keys, keys))
        )
        away = np.stack([at for _, at, *_ in points])[None] - places[:, None]
        location = self.location(branch, away / 8)
        each, out = dim // HEADS, []
        for head in range(HEADS):
            part = slice(head * each, (head + 1) * each)
            logits = q[:, part] @ k[:, part].T / each**0.5 + location[head]
            out.append(softmax(logits) @ v[:, part])
        joined = np.concatenate(out, 1)
        return (
            joined @ self.state[f"{place}out_proj.weight"].T + self.state[f"{place}out_proj.bias"]
        )

    def refined(self, branch, features, groups):
        result = []
        for stride, x in zip(STRIDES, features, strict=True):
            rows, cols = np.mgrid[: x.shape[1], : x.shape[2]]
            places = np.stack([cols, rows], -1).reshape(-1, 2) * stride + stride // 2
            queries = x.reshape(self.width, -1).T
            added = sum(
                self.attended(branch, i, queries, places, points, features)
                for i, points in enumerate(groups)
            )
            result.append(relu(queries + added).T.reshape(x.shape))
        return result

    def __call__(self, image):
        """Class logits (N, classes), codes (N, 4) and centreness (N) of an image (3, H, W)."""
        maps = self.run_neck(self.run_backbone(image))
        towers = {}
        for branch in ("cls", "reg"):
            levels = maps
            for i in range(2):
                levels = [
                    self.run_unit(x, f"bbox_head.bbox_head.{branch}_convs.{i}") for x in levels
                ]
            towers[branch] = levels
        corners = [self.run_points(maps, kind) for kind in KINDS]
        towers["cls"] = self.refined("cls", towers["cls"], corners[2:])
        towers["reg"] = self.refined("reg", towers["reg"], corners[:2])
        names = [f"bbox_head.bbox_head.{name}" for name in NAMES[self.host]]
        scales = [self.state.get(f"bbox_head.bbox_head.scales.{i}.scale", 1.0) for i in range(5)]
        each = 9 if self.host == "retinanet" else 1
        cls = listed([self.run_conv(x, names[0]) for x in towers["cls"]], each)
        box = listed(
            [self.run_conv(x, names[1]) * s for x, s in zip(towers["reg"], scales, strict=True)],
            each,
        )
        centre = [self.run_conv(x, n) for n in names[2:] for x in towers["reg"]]
        return cls, box, listed(centre, 1)[:, 0] if centre else None


def listed(maps, each):
    """Maps (A D, H, W) as vectors (H W A, D), levels joined."""
    return np.concatenate([m.transpose(1, 2, 0).reshape(m[0].size * each, -1) for m in maps])
