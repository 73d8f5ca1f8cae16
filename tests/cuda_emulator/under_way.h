// What Hopper's asynchronous engines have been asked for and have not done yet, of a block and of a
// thread: hopper.cuh fills it.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <vector>

namespace emulator {

using Deed = std::function<void()>;

struct Phases {  // of an mbarrier
  int expected, pending;  // arrivals
  long long bytes = 0;    // that are expected and have not landed
  unsigned count = 0;     // of phases that have ended
};

struct Box {
  const void* barrier;
  Deed land;
};

struct OfBlock {
  std::map<const void*, Phases> mbarriers;
  bool fenced = false;              // the copy engine sees them as they are
  std::vector<Box> boxes;           // that have not landed
  std::vector<unsigned char> seen;  // dynamic shared memory as the engines see it
};

struct OfThread {
  std::vector<std::vector<Deed>> products;    // by groups; the last one is open
  std::map<float*, std::vector<float>> sums;  // of products under way: the thread's own are NaN meanwhile
  bool fenced = false;                        // no sum was touched since FENCE_SUMS
};

}  // namespace emulator
