"""A pass of word2vec over sentences: two tables of word vectors, changed in place, pair by pair.

``skip_gram_negative(inputs, outputs, words, starts, keep, noise, window, shrink, negative, alpha,
seed)``: each word of a window predicts the one in its middle
``cbow_negative(inputs, outputs, words, starts, keep, noise, window, shrink, mean, negative, alpha,
seed)``: all words of a window together predict it, by the ``mean`` of their vectors or the sum
``skip_gram_hierarchical(inputs, outputs, words, starts, keep, nodes, labels, paths, window,
shrink, alpha, seed)`` and ``cbow_hierarchical(inputs, outputs, words, starts, keep, nodes, labels,
paths, window, shrink, mean, alpha, seed)``: the same with hierarchical softmax

Each returns how many words were left after rare draws took out frequent ones. A prediction compares
a hidden vector h with rows o_t of ``outputs`` by the logistic loss, and takes one step along its
gradient at the point before the step:

    loss = -sum over t of log sigmoid(y_t h o_t),  y_t = 1 or -1

Negative sampling has the word itself with y = 1 and ``negative`` words drawn from the noise with
y = -1, without those that are the word itself. Hierarchical softmax has the inner nodes on the way
from the root of a binary tree down to the word, with y = 1 where it goes to the left.

inputs, outputs : (V, D); with hierarchical softmax outputs is (V - 1, D), one row for each node
words : (n,) int64 in [0, V), of all sentences; starts : (S + 1,) int64, where each one begins
keep : (V,) int32, a word stays where a draw from 0 ... 2^31 - 1 is not above it
noise : (V, 2) int32, the alias table of `tinymed.medical.text.alias_table`
nodes : (P,) int64, labels : (P,) of the tables' dtype (1 left, 0 right), paths : (V + 1,) int64,
    where the nodes on the way to each word begin
window : words on each side, all of them or, with ``shrink``, 1 ... window of them, drawn evenly
alpha : the step size; seed : int64, of the draws

The draws are numbers of a counter, splitmix64(seed + i): one for each word of a sentence, to keep
it; then, at each word that is left, one for the window if it shrinks, and for each prediction
``negative`` ones for the noise.

References: Mikolov, Sutskever, Chen, Corrado, Dean (2013), "Distributed representations of words
and phrases and their compositionality", eq. 3 and 4; Steele, Lea, Flood (2014), "Fast splittable
pseudorandom number generators", figure 17.
"""

from tinymed.kernels.registry import kernel

skip_gram_negative = kernel(__name__, "skip_gram_negative", "reference", "numba_cpu", writes=(0, 1))
cbow_negative = kernel(__name__, "cbow_negative", "reference", "numba_cpu", writes=(0, 1))
skip_gram_hierarchical = kernel(
    __name__, "skip_gram_hierarchical", "reference", "numba_cpu", writes=(0, 1)
)
cbow_hierarchical = kernel(__name__, "cbow_hierarchical", "reference", "numba_cpu", writes=(0, 1))
