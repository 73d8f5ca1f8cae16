// One step of an optimizer on many arrays of parameters, in one launch and one pass over them.
//
// A network has dozens of small arrays: a launch for each would cost more than the work. Their addresses
// come as an argument, MOST at a time, with the number of the block at which each array ends; a block
// finds its array by halving, then takes THREADS packs of 16 bytes of it. Arrays that do not begin at
// multiples of 16 bytes, and the last few elements, go one by one. Nothing is added up.
//
// Counted in float32, an element: Adam moves 28 bytes (parameter and both means twice, gradient once;
// 36 with AMSGrad), and so do all rules with two states; those with one 20, SGD without momentum 12; some
// 20 FLOPs, a division and a root. Bound: memory.
//
// Left open: SCALAR, float or double.
#include "arrays.cuh"
#include "pack.cuh"

// What the elements of one pack have.
struct Element {
  SCALAR param, grad, state[STATES];
};

// Without decay a parameter that is no number leaves its gradient alone.
DEVICE SCALAR decayed(SCALAR grad, SCALAR param, SCALAR weight_decay) {
  return weight_decay != 0 ? grad + weight_decay * param : grad;
}

// Each element of this block's part of its array through `rule`, which changes it.
template <int USED, typename Rule>
DEVICE void for_each(const Arrays& arrays, int count, Rule rule) {
  const int number = array_of(arrays, count, blockIdx.x);
  const long long size = arrays.size[number];
  const long long before = number ? arrays.last_block[number - 1] : 0;
  const long long first = ((blockIdx.x - before) * THREADS + threadIdx.x) * PACK;
  SCALAR* param = arrays.param[number] + first;
  const SCALAR* grad = arrays.grad[number] + first;
  SCALAR* state[STATES];
  unsigned long long bits = reinterpret_cast<unsigned long long>(param) |
                            reinterpret_cast<unsigned long long>(grad);
  bool there[STATES];
#pragma unroll
  for (int s = 0; s < USED; s++) {
    there[s] = arrays.state[s][number] != nullptr;
    state[s] = arrays.state[s][number] + first;
    if (there[s]) bits |= reinterpret_cast<unsigned long long>(state[s]);
  }
  if (bits % 16 == 0 && CHECK(pack_inside, first + PACK <= size)) {
    Pack p = *reinterpret_cast<Pack*>(param), own[STATES] = {};
    const Pack g = *reinterpret_cast<const Pack*>(grad);
#pragma unroll
    for (int s = 0; s < USED; s++)
      if (there[s]) own[s] = *reinterpret_cast<Pack*>(state[s]);
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      Element element = {p.of[i], g.of[i], {own[0].of[i], own[1].of[i], own[2].of[i]}};
      rule(element);
      p.of[i] = element.param;
#pragma unroll
      for (int s = 0; s < USED; s++) own[s].of[i] = element.state[s];
    }
    *reinterpret_cast<Pack*>(param) = p;
#pragma unroll
    for (int s = 0; s < USED; s++)
      if (there[s]) *reinterpret_cast<Pack*>(state[s]) = own[s];
    return;
  }
  for (int i = 0; i < PACK; i++) {
    if (!CHECK(element_inside, first + i < size)) return;
    Element element = {param[i], grad[i], {}};
#pragma unroll
    for (int s = 0; s < USED; s++)
      if (there[s]) element.state[s] = state[s][i];
    rule(element);
    param[i] = element.param;
#pragma unroll
    for (int s = 0; s < USED; s++)
      if (there[s]) state[s][i] = element.state[s];
  }
}

// Adam's means of the gradient and of its square, which all rules of its family start with.
DEVICE void take_means(Element& e, SCALAR grad, SCALAR beta1, SCALAR rest1, SCALAR beta2, SCALAR rest2) {
  e.state[0] = beta1 * e.state[0] + rest1 * grad;
  e.state[1] = beta2 * e.state[1] + rest2 * grad * grad;
}

// state: m, v, and the largest v so far if `amsgrad`. `size` is lr / (1 - beta1^step), `correction`
// sqrt(1 - beta2^step); `shrink` is 1 - lr weight_decay where decay is decoupled, else 1.
extern "C" __global__ void __launch_bounds__(THREADS)
    adam(const Arrays arrays, int count, SCALAR size, SCALAR correction, SCALAR beta1, SCALAR rest1,
         SCALAR beta2, SCALAR rest2, SCALAR eps, SCALAR weight_decay, SCALAR shrink, int amsgrad) {
  for_each<3>(arrays, count, [=](Element& e) {
    const SCALAR param = e.param * shrink, grad = decayed(e.grad, param, weight_decay);
    take_means(e, grad, beta1, rest1, beta2, rest2);
    SCALAR second = e.state[1];
    if (amsgrad) {  // a NaN on either side stays
      second = e.state[2] >= second || e.state[2] != e.state[2] ? e.state[2] : second;
      e.state[2] = second;
    }
    e.param = param - size * e.state[0] / (sqrt(second) / correction + eps);
  });
}

// state: the momentum, if there is any. `first`: it is empty and takes the gradient as it is.
extern "C" __global__ void __launch_bounds__(THREADS)
    sgd(const Arrays arrays, int count, SCALAR lr, SCALAR momentum, SCALAR damped,
        SCALAR weight_decay, int nesterov, int first, int with_momentum) {
  for_each<1>(arrays, count, [=](Element& e) {
    const SCALAR grad = decayed(e.grad, e.param, weight_decay);
    SCALAR direction = grad;
    if (with_momentum) {
      e.state[0] = first ? grad : momentum * e.state[0] + damped * grad;
      direction = nesterov ? grad + momentum * e.state[0] : e.state[0];
    }
    e.param -= lr * direction;
  });
}

// state: m and u. `size` is lr / (1 - beta1^step).
extern "C" __global__ void __launch_bounds__(THREADS)
    adamax(const Arrays arrays, int count, SCALAR size, SCALAR beta1, SCALAR rest1, SCALAR beta2,
           SCALAR eps, SCALAR weight_decay) {
  for_each<2>(arrays, count, [=](Element& e) {
    const SCALAR grad = decayed(e.grad, e.param, weight_decay);
    const SCALAR before = beta2 * e.state[1], now = fabs(grad) + eps;
    e.state[0] = beta1 * e.state[0] + rest1 * grad;
    e.state[1] = before > now || before != before ? before : now;  // a NaN on either side stays
    e.param -= size * e.state[0] / e.state[1];
  });
}

// state: m and v. `of_grad` and `of_mean` are the sizes of the two steps, `correction` and `shrink` as
// in adam.
extern "C" __global__ void __launch_bounds__(THREADS)
    nadam(const Arrays arrays, int count, SCALAR of_grad, SCALAR of_mean, SCALAR correction,
          SCALAR beta1, SCALAR rest1, SCALAR beta2, SCALAR rest2, SCALAR eps, SCALAR weight_decay,
          SCALAR shrink) {
  for_each<2>(arrays, count, [=](Element& e) {
    const SCALAR param = e.param * shrink, grad = decayed(e.grad, param, weight_decay);
    take_means(e, grad, beta1, rest1, beta2, rest2);
    const SCALAR ahead = of_grad * grad + of_mean * e.state[0];
    e.param = param - ahead / (sqrt(e.state[1]) / correction + eps);
  });
}

// state: m and v. `size` has all factors of the step in it; v is left out of it until it is `trusted`.
extern "C" __global__ void __launch_bounds__(THREADS)
    radam(const Arrays arrays, int count, SCALAR size, SCALAR beta1, SCALAR rest1, SCALAR beta2,
          SCALAR rest2, SCALAR eps, SCALAR weight_decay, SCALAR shrink, int trusted) {
  for_each<2>(arrays, count, [=](Element& e) {
    const SCALAR param = e.param * shrink, grad = decayed(e.grad, param, weight_decay);
    take_means(e, grad, beta1, rest1, beta2, rest2);
    e.param = param - (trusted ? size * e.state[0] / (sqrt(e.state[1]) + eps) : size * e.state[0]);
  });
}

// state: m and v of rows that have a gradient.
extern "C" __global__ void __launch_bounds__(THREADS)
    sparse_adam(const Arrays arrays, int count, SCALAR size, SCALAR rest1, SCALAR rest2, SCALAR eps) {
  for_each<2>(arrays, count, [=](Element& e) {
    e.state[0] += rest1 * (e.grad - e.state[0]);
    e.state[1] += rest2 * (e.grad * e.grad - e.state[1]);
    e.param -= size * e.state[0] / (sqrt(e.state[1]) + eps);
  });
}

// state: v; the momentum, and the mean of the gradient, if there are any.
extern "C" __global__ void __launch_bounds__(THREADS)
    rmsprop(const Arrays arrays, int count, SCALAR lr, SCALAR alpha, SCALAR rest, SCALAR eps,
            SCALAR momentum, SCALAR weight_decay, int with_momentum, int centered) {
  for_each<3>(arrays, count, [=](Element& e) {
    const SCALAR grad = decayed(e.grad, e.param, weight_decay);
    SCALAR spread = e.state[0] = alpha * e.state[0] + rest * grad * grad;
    if (centered) {
      e.state[2] += rest * (grad - e.state[2]);
      spread -= e.state[2] * e.state[2];
      spread = spread < 0 ? 0 : spread;  // by rounding alone; NaN stays
    }
    SCALAR direction = grad / (sqrt(spread) + eps);
    if (with_momentum) direction = e.state[1] = momentum * e.state[1] + direction;
    e.param -= lr * direction;
  });
}

// state: the sum of squares.
extern "C" __global__ void __launch_bounds__(THREADS)
    adagrad(const Arrays arrays, int count, SCALAR lr, SCALAR eps, SCALAR weight_decay) {
  for_each<1>(arrays, count, [=](Element& e) {
    const SCALAR grad = decayed(e.grad, e.param, weight_decay);
    e.state[0] += grad * grad;
    e.param -= lr * grad / (sqrt(e.state[0]) + eps);
  });
}

// state: the means of the squares of gradients, and of steps.
extern "C" __global__ void __launch_bounds__(THREADS)
    adadelta(const Arrays arrays, int count, SCALAR lr, SCALAR rho, SCALAR rest, SCALAR eps,
             SCALAR weight_decay) {
  for_each<2>(arrays, count, [=](Element& e) {
    const SCALAR grad = decayed(e.grad, e.param, weight_decay);
    e.state[0] = rho * e.state[0] + rest * grad * grad;
    const SCALAR delta = sqrt(e.state[1] + eps) / sqrt(e.state[0] + eps) * grad;
    e.state[1] = rho * e.state[1] + rest * delta * delta;
    e.param -= lr * delta;
  });
}
