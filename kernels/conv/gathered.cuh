// How convolutions on Hopper fill the ring: the copy engine brings tiles of an array as it lies; what
// windows see is gathered by the fetching warpgroup, 16 bytes a copy, zeros outside of the image.
//
// The engine has a mode for that, too (im2col). Copies by threads serve every geometry alike, the phases
// of a gradient among them, where the engine's has bounds for offsets and strides; they need no words
// but those that tensor.cu runs on; and the group that issues them has nothing else to do: 330 to 400
// instructions a warp and step of 128 x 256 x 64, for which the products take 1024 cycles.
//
// Tiles of 128 rows: each multiplying group has 64 of them and all columns. Tiles of 64 rows: both have
// all rows, and half of the columns each.
//
// Left open: FORMAT, TILE_M (64 or 128), TILE_N (128 or 256; 256 for 64 rows).
#pragma once
#include "columns.cuh"
#include "warpgroup_ring.cuh"

constexpr int CHUNK = 16 / sizeof(Element), CHUNKS = DEPTH / CHUNK;  // of a copy, and in a row of a box
// Steps whose copies are under way while those of another are begun. The ring's last stage is left to
// the products: they give back what they have read only when the step after it has come.
constexpr int AHEAD = STAGES - 2;
constexpr int ARRIVALS = WARPGROUP + 1;           // at a full stage: of all that gather, and of who asks
constexpr int FETCHING = 120, MULTIPLYING = 192;  // registers: of the 168 that a launch gives to each
constexpr int NOWHERE = -(1 << 30);               // a place from which nothing is seen

constexpr int ROWS_APART = TILE_M == 64 ? 0 : 64, COLUMNS_APART = TILE_M == 64 ? TILE_N / 2 : 0;  // of groups
constexpr int SUMS = (TILE_N - COLUMNS_APART) / 2;  // of a thread that multiplies

// Where chunk `chunk` of row `row` of a box is: it changes place with another.
DEVICE int place_in_box(int row, int chunk) { return row * ROW + (chunk ^ row % 8) * CHUNK; }

// What the fetching warpgroup does: for all steps, have a tile of a copied, ask(tile, step, barrier), and
// begin this thread's copies to that of b, copy(tile, step), each as soon as its stage is empty.
template <typename A, typename B, typename Ask, typename Copy>
DEVICE void fetch_and_gather(const Ring<A, B>& ring, int steps, Ask ask, Copy copy) {
  for (int step = 0; step < steps + AHEAD; step++) {
    if (step < steps) {
      ring.wait_empty(step);
      if (threadIdx.x == 0) {
        Mbarrier* full = ring.full + step % STAGES;
        ARRIVE_EXPECTING(box_asked, full, A::BYTES);
        ask(ring.a(step), step, full);
      }
      copy(ring.b(step), step);
    }
    commit_copies();  // steps beyond the last copy nothing, but count
    if (step < AHEAD) continue;
    WAIT_COPIES(chunks_landed, AHEAD);  // those of this thread, of the step that is told of here
    FENCE_ASYNC(chunks_shown);          // to the products, which read past the path of a thread's writes
    ARRIVE(chunks_there, ring.full + (step - AHEAD) % STAGES);
  }
}

// What a multiplying warpgroup does: its part of the tile, and then write(sum, row, column), where that is.
template <typename A, typename B, typename Write>
DEVICE void multiply_part(const Ring<A, B>& ring, int steps, Write write) {
  take_registers<MULTIPLYING>();
  const int consumer = threadIdx.x / WARPGROUP - 1;
  const int row = consumer * ROWS_APART, column = consumer * COLUMNS_APART;
  float sum[SUMS] = {};
  multiply(sum, ring, row, column, steps);
  write(sum, row, column);
}
