// A number of SUM, which is computed in, as SCALAR, which arrays hold.
#pragma once
#include "scalars.cuh"

DEVICE SCALAR held(SUM y) {
  SCALAR to;
  put(&to, y);
  return to;
}
