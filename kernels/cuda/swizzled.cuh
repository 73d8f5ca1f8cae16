// Tiles in shared memory as Hopper's copy engine leaves them and its tensor cores read them: boxes of
// rows of 128 bytes, swizzled, so that eight rows read at one place of theirs are in all banks, too.
//
// Left open: FORMAT (format.cuh).
#pragma once
#include "format.cuh"
#include "hopper.cuh"

constexpr int ROW = 128 / sizeof(Element);  // elements of a row of a box
constexpr int DEPTH = ROW;                  // of a tile along K
constexpr int PRODUCT = 32 / sizeof(Element);  // of one instruction along K

// Where a product finds a matrix (PTX ISA, "Matrix descriptor format" and "Strides", in units of 16
// bytes): `stride` bytes lie between 8 rows of a box and the next 8, `leading` between two boxes side
// by side. `start` may be inside of a box whose first byte is at a multiple of 1024.
DEVICE Word matrix_descriptor(const void* start, int leading, int stride) {
  constexpr Word SWIZZLE_128 = 1;
  const auto encoded = [](unsigned bytes) { return static_cast<Word>((bytes & 0x3ffff) >> 4); };
  return encoded(shared_address(start)) | encoded(leading) << 16 | encoded(stride) << 32 | SWIZZLE_128 << 62;
}

// A tile of an operand, LINES of its rows (of a) or columns (of b), multiples of 64, by DEPTH: one box
// of rows along K, or, turned, a box of DEPTH rows for each ROW lines.
template <bool ALONG, int COUNT>
struct SwizzledTile {
  static constexpr bool ALONG_K = ALONG;
  static constexpr int LINES = COUNT, SIZE = LINES * DEPTH, BYTES = SIZE * sizeof(Element);
  static constexpr int BOX = DEPTH * ROW;  // elements of a box of the turned ones

  // Have the tile at `line` and `k` of a matrix copied; what is outside of it is 0.
  static DEVICE void fetch(Element* tile, const TensorMap& from, int line, int k, int matrix, Mbarrier* barrier) {
    if (ALONG_K) {
      copy_box(tile, from, k, line, matrix, barrier);
    } else {
#pragma unroll
      for (int i = 0; i < LINES / ROW; i++) copy_box(tile + i * BOX, from, line + i * ROW, k, matrix, barrier);
    }
  }

  // What a product takes of it, from `line`, a multiple of 64, and `k` on.
  static DEVICE Word descriptor(const Element* tile, int line, int k) {
    const int at = ALONG_K ? line * ROW + k : line / ROW * BOX + k * ROW;
    return matrix_descriptor(tile + at, ALONG_K ? 16 : BOX * sizeof(Element), 8 * 128);  // 16 is not used
  }
};
