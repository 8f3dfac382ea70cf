"""Charades: Charades_v1_train.csv and Charades_v1_test.csv, one of FineCVR's sources.

    cvr import charades Charades/ -o media=Charades_v1_480

Captions are the descriptions that people wrote of the video, the long description is the script that it was acted from.
The split is told by the file's name.

Source: Sigurdsson et al., ECCV 2016 (https://arxiv.org/abs/1604.01753). Non-commercial use.
"""

from dataclasses import dataclass

from cvr_data.videos.corpora._charades import COLUMNS, charades_video
from cvr_data.videos.published import Published, table_corpus

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    pass


inputs, count, load = table_corpus("charades", COLUMNS, charades_video)
