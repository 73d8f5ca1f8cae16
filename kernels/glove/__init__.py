"""A pass of GloVe over co-occurrences: vectors and biases of words and contexts, in place.

``adagrad(words, contexts, word_bias, context_bias, word_squares, context_squares,
word_bias_squares, context_bias_squares, rows, columns, targets, weights, starts, lr)`` -> the loss

Co-occurrence k of word i = rows[k] and context j = columns[k] has the loss

    J_k = f_k / 2 (w_i c_j + b_i + d_j - t_k)^2
    t_k = log X_ij,  f_k = min(1, (X_ij / x_max)^power)

The pass takes a step of AdaGrad along the gradient of each: G += g^2;  w -= lr g / sqrt(G), all
gradients at the point before the step, and returns the sum of the losses there, a number of the
tables' dtype.

words, contexts and their squares : (V, D); biases and theirs : (V,)
rows, columns : (n,) int64; targets, weights : (n,), t and f
starts : (P P + 1,) int64, where the blocks of co-occurrences begin: block p P + q holds words
    i = p modulo P and contexts j = q modulo P. Blocks (p, (p + d) modulo P) of one diagonal d share
    no row, so that they are done at the same time; diagonals follow each other. The bits do not
    depend on the number of threads.

References: Pennington, Socher, Manning (2014), "GloVe: global vectors for word representation",
eq. 8 and 9; Gemulla, Nijkamp, Haas, Sismanis (2011), "Large-scale matrix factorization with
distributed stochastic gradient descent", section 4, for the blocks.
"""

from tinymed.kernels.registry import kernel

adagrad = kernel(__name__, "adagrad", "reference", "numba_cpu", writes=tuple(range(8)))
