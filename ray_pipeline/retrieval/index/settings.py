"""What an index is built of, and what it must find to be published."""

from __future__ import annotations

from typing import Final, Literal

from ray_pipeline.config import Settings, identity

STAGE: Final = "index"
AUTO: Final = "auto"


class IndexSettings(Settings):
    """An approximate index over vectors."""

    kind: str = identity(
        "HNSW", "Flat, IVF, HNSW, IVF,SQ8, IVF,PQ, IVF,RaBitQ (their sizes follow the number of documents), or any faiss factory string"
    )
    parameters: str = identity(
        AUTO, "faiss search parameters such as nprobe=32 or efSearch=128, empty for none; auto: the least effort that reaches min_recall"
    )
    min_recall: float = identity(0.95, "recall at recall_at below which the index is not published", ge=0, le=1)
    recall_at: int = identity(10, "the depth at which the recall is measured", ge=1)
    recall_queries: int = identity(512, "queries whose exact answer is computed to measure it", ge=1)
    oversample: float = identity(4.0, "candidates a query as a multiple of what is asked for; they are scored again from the stored vectors", ge=1)
    vectors: Literal["float32", "float16", "none"] = identity(
        "float32", "how vectors are kept beside the index, to score candidates exactly; none: the index's own scores stand"
    )
    part_rows: int = identity(1 << 20, "documents a part: parts are built, kept and searched apart", ge=1)
    train_rows: int = identity(1 << 17, "vectors the index is trained on at most", ge=1)
    seed: int = identity(0, "of the samples of training vectors and recall queries")
