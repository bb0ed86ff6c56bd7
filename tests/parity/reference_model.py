"""The model in plain PyTorch, written from its description as directly as possible: one Linear per
head, a mask per head and step, no fusing. It is what the C++ model is compared with, never used in
training. Shapes: B batch, T text tokens, S = T + 1, C n_embd, D image_embed_dim, V vocab_size.
"""

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass
class Shape:
    n_embd: int = 128
    image_embed_dim: int = 512
    vocab_size: int = 6666
    n_layer: int = 8
    num_blks: int = 3
    img_size: int = 96
    patch_size: int = 16
    num_head: int = 8
    dropout: float = 0.0
    emb_dropout: float = 0.0
    blk_dropout: float = 0.0


class Head(nn.Module):
    def __init__(self, width, head, dropout, causal):
        super().__init__()
        self.key = nn.Linear(width, head, bias=False)
        self.query = nn.Linear(width, head, bias=False)
        self.value = nn.Linear(width, head, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.causal = causal

    def forward(self, x):
        # The full width scales, not the head's.
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * x.shape[-1] ** -0.5
        if self.causal:
            seen = torch.tril(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device))
            scores = scores.masked_fill(~seen, float("-inf"))
        return self.dropout(F.softmax(scores, dim=-1)) @ self.value(x)


class Attention(nn.Module):
    def __init__(self, width, heads, dropout, causal):
        super().__init__()
        self.heads = nn.ModuleList(Head(width, width // heads, dropout, causal) for _ in range(heads))
        self.proj = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.proj(torch.cat([head(x) for head in self.heads], dim=-1)))


class Block(nn.Module):
    def __init__(self, width, heads, dropout, causal):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, dropout, causal)
        self.ln2 = nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        y = self.ln2(x + self.attn(self.ln1(x)))
        return y + self.ffn(y)  # The second residual starts behind ln2.


class PatchEmbedding(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.conv = nn.Conv2d(3, shape.image_embed_dim, shape.patch_size, stride=shape.patch_size)

    def forward(self, images):
        return self.conv(images).flatten(2).transpose(1, 2)


class VisionEncoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.image_embed_dim
        self.patch_embedding = PatchEmbedding(shape)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        patches = (shape.img_size // shape.patch_size) ** 2
        self.pos_embedding = nn.Parameter(torch.randn(1, patches + 1, width))
        self.dropout = nn.Dropout(shape.emb_dropout)
        self.blocks = nn.ModuleList(
            Block(width, shape.num_head, shape.blk_dropout, causal=False) for _ in range(shape.num_blks))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, images):
        x = self.patch_embedding(images)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.dropout(x + self.pos_embedding)
        for block in self.blocks:
            x = block(x)
        return self.layer_norm(x[:, 0])


class Projection(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.image_embed_dim
        self.net = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, shape.n_embd), nn.Dropout(0.1))

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.token_embedding_table = nn.Embedding(shape.vocab_size, shape.n_embd)
        self.position_embedding_table = nn.Embedding(1000, shape.n_embd)
        self.image_projection = Projection(shape)
        self.blocks = nn.ModuleList(
            Block(shape.n_embd, shape.num_head, shape.dropout, causal=True) for _ in range(shape.n_layer))
        self.ln_f = nn.LayerNorm(shape.n_embd)
        self.lm_head = nn.Linear(shape.n_embd, shape.vocab_size)

    def forward(self, features, tokens):
        image = self.image_projection(features).unsqueeze(1)
        x = torch.cat([image, self.token_embedding_table(tokens)], dim=1)
        x = x + self.position_embedding_table(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class Model(nn.Module):
    """logits [B, S, V] of images float32 [B, 3, img_size, img_size] and tokens int64 [B, T]."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.vision_encoder = VisionEncoder(shape)
        self.decoder = Decoder(shape)

    def forward(self, images, tokens):
        return self.decoder(self.vision_encoder(images), tokens)

    def loss(self, images, tokens, targets):
        logits = self(images, tokens)
        ignored = torch.full_like(targets[:, :1], -100)  # The image's position.
        wanted = torch.cat([ignored, targets], dim=1)
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-100)
