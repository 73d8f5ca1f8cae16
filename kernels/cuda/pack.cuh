// Elements side by side that a thread reads or writes at once: up to 16 bytes, which are a pack.
#pragma once

constexpr int PACK = 16 / sizeof(SCALAR);  // elements

template <int COUNT>
struct alignas(COUNT * sizeof(SCALAR)) Neighbours {
  SCALAR of[COUNT];
};

typedef Neighbours<PACK> Pack;
