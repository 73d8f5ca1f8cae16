"""Text and other sequences of tokens: vocabularies, word vectors, language models.

>>> documents = [words(text) for text in ("Fracture of femur", "Fracture of tibia")] * 20
>>> vectors = Word2Vec(vector_size=16, min_count=1).train(documents)
>>> len(vectors.most_similar("femur", topn=2))
2
"""

from tinymed.medical.text.byte_pair import BytePairEncoding
from tinymed.medical.text.cooccurrence import Cooccurrences, count_cooccurrences
from tinymed.medical.text.corpus import Corpus, encode_corpus
from tinymed.medical.text.evaluation import (
    Analogies,
    PairCorrelation,
    evaluate_word_analogies,
    evaluate_word_pairs,
    spearman,
)
from tinymed.medical.text.generation import Hypothesis, beam_search, perplexity, sample
from tinymed.medical.text.glove import GloVe
from tinymed.medical.text.ngram import NGramModel
from tinymed.medical.text.noise import alias_table, huffman_tree
from tinymed.medical.text.picture import draw_word_map, principal_components
from tinymed.medical.text.tokens import characters, kmers, smiles, words
from tinymed.medical.text.vectors import WordVectors
from tinymed.medical.text.vocabulary import Vocabulary
from tinymed.medical.text.windows import (
    context_windows,
    keep_probability,
    skip_gram_pairs,
    subsample,
)
from tinymed.medical.text.word2vec import Word2Vec

__all__ = [
    "Analogies",
    "BytePairEncoding",
    "Cooccurrences",
    "Corpus",
    "GloVe",
    "Hypothesis",
    "NGramModel",
    "PairCorrelation",
    "Vocabulary",
    "Word2Vec",
    "WordVectors",
    "alias_table",
    "beam_search",
    "characters",
    "context_windows",
    "count_cooccurrences",
    "draw_word_map",
    "encode_corpus",
    "evaluate_word_analogies",
    "evaluate_word_pairs",
    "huffman_tree",
    "keep_probability",
    "kmers",
    "perplexity",
    "principal_components",
    "sample",
    "skip_gram_pairs",
    "smiles",
    "spearman",
    "subsample",
    "words",
]
