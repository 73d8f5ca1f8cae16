// What a thread reads or writes at once: 16 bytes.
#pragma once

constexpr int PACK = 16 / sizeof(SCALAR);  // elements

struct alignas(16) Pack {
  SCALAR of[PACK];
};
