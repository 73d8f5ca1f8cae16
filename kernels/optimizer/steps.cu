// One step of Adam or SGD on many arrays of parameters, in one launch and one pass over them.
//
// A network has dozens of small arrays: a launch for each would cost more than the work. Their addresses
// come as an argument, MOST at a time, with the number of the block at which each array ends; a block
// finds its array by halving, then takes THREADS packs of 16 bytes of it. Arrays that do not begin at
// multiples of 16 bytes, and the last few elements, go one by one. Nothing is added up.
//
// Counted in float32, an element: Adam moves 28 bytes (parameter and both means twice, gradient once;
// 36 with AMSGrad), SGD 12, with momentum 20; some 20 FLOPs, a division and a root. Bound: memory.
//
// Left open: SCALAR, float or double.
#include "device.cuh"

constexpr int PACK = 16 / sizeof(SCALAR), THREADS = 256, STATES = 3;
constexpr int MOST = 64;  // arrays in a launch: cuda.py has the same number

struct alignas(16) Pack {
  SCALAR of[PACK];
};

// The arrays of a launch. An argument of at most 4 KiB, as cuda.py writes it.
struct Arrays {
  SCALAR* param[MOST];
  const SCALAR* grad[MOST];
  SCALAR* state[STATES][MOST];  // null where a rule has none
  long long size[MOST];
  long long last_block[MOST];  // the number of the first block beyond each array
};

// What the elements of one pack have.
struct Element {
  SCALAR param, grad, state[STATES];
};

DEVICE int array_of(const Arrays& arrays, int count, long long block) {
  int low = 0, high = count - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (block < arrays.last_block[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

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

// state: m, v, and the largest v so far if `amsgrad`. `size` is lr / (1 - beta1^step), `correction`
// sqrt(1 - beta2^step); `shrink` is 1 - lr weight_decay where decay is decoupled, else 1.
extern "C" __global__ void __launch_bounds__(THREADS)
    adam(const Arrays arrays, int count, SCALAR size, SCALAR correction, SCALAR beta1, SCALAR rest1,
         SCALAR beta2, SCALAR rest2, SCALAR eps, SCALAR weight_decay, SCALAR shrink, int amsgrad) {
  for_each<3>(arrays, count, [=](Element& e) {
    const SCALAR param = e.param * shrink, grad = decayed(e.grad, param, weight_decay);
    e.state[0] = beta1 * e.state[0] + rest1 * grad;
    e.state[1] = beta2 * e.state[1] + rest2 * grad * grad;
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
    sgd(const Arrays arrays, int count, SCALAR lr, SCALAR momentum, SCALAR damped, int nesterov,
        int first, SCALAR weight_decay, int with_momentum) {
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
