// Places in one, two or three dimensions (missing ones have size 1), and what a window sees there.
#pragma once
#include "device.cuh"

struct Triple {
  int d, h, w;
};

DEVICE int volume(Triple size) { return size.d * size.h * size.w; }

DEVICE int place_in(Triple size, int d, int h, int w) { return (d * size.h + h) * size.w + w; }

// The digits of a number, w the lowest; what is left over counts images.
struct Digits {
  int image;
  Triple at;

  Digits() = default;
  DEVICE Digits(int number, Triple size) {
    at.w = number % size.w;
    number /= size.w;
    at.h = number % size.h;
    number /= size.h;
    at.d = number % size.d;
    image = number / size.d;
  }
  DEVICE void add(const Digits& other, Triple size) {  // no division: a digit carries at most 1
    at.w += other.at.w;
    const int from_w = at.w >= size.w;
    at.w -= from_w * size.w;
    at.h += other.at.h + from_w;
    const int from_h = at.h >= size.h;
    at.h -= from_h * size.h;
    at.d += other.at.d + from_h;
    const int from_d = at.d >= size.d;
    at.d -= from_d * size.d;
    image += other.image + from_d;
  }
};

// Whether a step that lies (x: offset) y, z, w away from a place is still inside the source. All three
// are asked at once: one load of 128 bits and no branches.
DEVICE bool sees(Triple from, int4 step, Triple source) {
  return CHECK(d_inside, static_cast<unsigned>(from.d + step.y) < source.d) &
         CHECK(h_inside, static_cast<unsigned>(from.h + step.z) < source.h) &
         CHECK(w_inside, static_cast<unsigned>(from.w + step.w) < source.w);
}

// A result at q steps in phase a lies at q * skip + a: one phase in a layer, stride^axes in its
// gradient, where neighbours of one phase see the same taps.
struct Phase {
  Triple first, size;  // its first result, and how many it has

  DEVICE Phase(int number, Triple result, Triple skip) {
    const Triple phases = {min(skip.d, result.d), min(skip.h, result.h), min(skip.w, result.w)};
    first = Digits(number, phases).at;
    size = {(result.d - first.d - 1) / skip.d + 1, (result.h - first.h - 1) / skip.h + 1,
            (result.w - first.w - 1) / skip.w + 1};
  }
};
