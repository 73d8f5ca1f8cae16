// The threads of a CUDA grid on one CPU thread: each is a fiber that runs until it has to wait.
//
// Blocks run one after another; those of a cooperative grid or of a cluster side by side, taking
// turns, their static shared memory swapped in and out. Three schedules order the threads (forward,
// reverse, shuffled at every turn), so that code which relies on an order gives different numbers.
#pragma once
#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>

#include "under_way.h"

struct uint3 { unsigned x, y, z; };

// The linker puts all static shared memory of a kernel between these two.
extern "C" unsigned char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern "C" unsigned char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

namespace emulator {

enum Schedule { FORWARD, REVERSE, SHUFFLED };
enum State : unsigned char { READY, PAUSED, AT_BARRIER, AT_CLUSTER_BARRIER, IN_WARP, DONE };

// The stacks of all fibers of the process: kernels, which are libraries of their own, run in turn, and
// memory maps are too few for each to have its own.
struct Stacks { unsigned char** of; uint64_t count; };

struct Launch {  // as ctypes has it in emulate.py
  unsigned grid[3], block[3];
  uint64_t dynamic_bytes, schedule, seed, cooperative, cluster;
  uint64_t removed;  // the hash of the name that a mutant lacks; 0 for none
  uint64_t fault;    // out: the address that could not be accessed
  Stacks* stacks;
};

constexpr size_t SLOT = 64, STACK = 128 * 1024, PAGE = 4096;
constexpr size_t MOST = 256 * 1024;  // bytes of dynamic shared memory
struct Slot { alignas(16) unsigned char bytes[SLOT]; };
struct Copy { void* to; const void* from; int bytes; };

struct Block;
struct Fiber {
  jmp_buf context;
  ucontext_t first;
  unsigned char* stack = nullptr;
  bool started = false;
  State state = DONE;
  uint3 thread{};
  unsigned number = 0, mask = 0;
  const char* at = nullptr;  // the barrier or the operation that it waits in
  int predicate = 0, count = 0;
  Slot slot;
  Block* block = nullptr;
  std::vector<std::vector<Copy>> copies;  // groups of asynchronous copies; the last one is open
  OfThread under_way;
};

struct Block {
  uint3 index{};
  unsigned rank = 0;
  std::vector<Fiber> fibers;
  std::vector<Slot> seen;  // what each lane gave to its warp's last operation
  std::vector<unsigned char> image;
  unsigned char* dynamic = nullptr;
  OfBlock under_way;
};

inline Launch launch_;
inline Fiber* now = nullptr;
inline std::vector<Block> resident;  // those that take turns, a cluster at least
inline std::function<void()> body;
inline jmp_buf scheduler, escape;
inline std::string message;
inline uint64_t random_state;

constexpr uint64_t hash(const char* name) {  // FNV-1a, as in emulate.py
  uint64_t h = 14695981039346656037ull;
  for (; *name; name++) h = (h ^ static_cast<unsigned char>(*name)) * 1099511628211ull;
  return h;
}
template <uint64_t NAME> bool removed() { return launch_.removed == NAME; }

inline uint64_t draw() {  // Marsaglia's xorshift
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

[[noreturn]] inline void fail(const std::string& what) {
  message = what;
  _longjmp(escape, 1);
}

inline std::string where(const Fiber& f) {
  char text[160];
  std::snprintf(text, sizeof text, "thread (%u, %u, %u) of block (%u, %u, %u)", f.thread.x, f.thread.y,
                f.thread.z, f.block->index.x, f.block->index.y, f.block->index.z);
  return text;
}

// ------------------------------------------------------------------------------------- switching

// Give the CPU back until the scheduler finds that what this thread waits for has come.
__attribute__((noinline)) inline void wait(State state) {
  Fiber* self = now;
  self->state = state;
  if (!_setjmp(self->context)) _longjmp(scheduler, 1);
  asm volatile("" ::: "memory");  // others have run: nothing in memory is as it was
}

inline void fiber_main() {
  for (;;) {
    body();
    wait(DONE);  // until the fiber is a thread of another block
  }
}

inline void resume(Fiber& f) {
  now = &f;
  f.state = READY;
  if (_setjmp(scheduler)) return;
  if (f.started) _longjmp(f.context, 1);
  f.started = true;
  getcontext(&f.first);
  f.first.uc_stack.ss_sp = f.stack + PAGE;
  f.first.uc_stack.ss_size = STACK;
  f.first.uc_link = nullptr;
  makecontext(&f.first, fiber_main, 0);
  setcontext(&f.first);
}

inline unsigned char* new_memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("the emulator has no memory left");
  return static_cast<unsigned char*>(memory);
}

inline unsigned char* stack(size_t number) {  // its lowest page is closed, and catches what overflows
  Stacks& all = *launch_.stacks;
  for (; all.count <= number; all.count++) {
    if (!(all.count & (all.count + 1)))
      all.of = static_cast<unsigned char**>(std::realloc(all.of, 2 * (all.count + 1) * sizeof *all.of));
    unsigned char* memory = all.of[all.count] = new_memory(STACK + PAGE);
    mprotect(memory, PAGE, PROT_NONE);
  }
  return all.of[number];
}

inline unsigned char* dynamic_memory(size_t slot) {  // its end, behind which a page is closed
  static std::vector<unsigned char*> ends;
  for (; ends.size() <= slot; mprotect(ends.back(), PAGE, PROT_NONE))
    ends.push_back(new_memory(MOST + PAGE) + MOST);
  return ends[slot];
}

// ------------------------------------------------------------------------------------- releasing

// Let those lanes of a warp go on that all stand in the same operation, with the same mask.
inline bool release_warp(Block& b, size_t first) {
  bool any = false;
  const size_t count = std::min<size_t>(32, b.fibers.size() - first);
  Fiber* const lanes = &b.fibers[first];
  for (size_t i = 0; i < count; i++) {
    const Fiber& f = lanes[i];
    if (f.state != IN_WARP) continue;
    bool all = true;
    for (size_t l = 0; l < count; l++) {
      const Fiber& other = lanes[l];
      if (!(f.mask >> l & 1) || other.state == DONE) continue;
      const bool here = other.state == IN_WARP && other.mask == f.mask;
      if (here && std::strcmp(other.at, f.at))
        fail("lanes of one warp diverge: " + where(f) + " is in " + f.at + ", " + where(other) +
             " in " + other.at);
      all &= here;
    }
    if (!all) continue;
    any = true;
    for (size_t l = 0; l < count; l++) {
      if (!(f.mask >> l & 1) || lanes[l].state != IN_WARP) continue;
      lanes[l].state = READY;
      b.seen[first + l] = lanes[l].slot;
    }
  }
  return any;
}

inline bool all_at(const Block& b, State state) {
  for (const Fiber& f : b.fibers)
    if (f.state != state && f.state != DONE) return false;
  return true;
}

inline size_t alive(const Block& b) {
  size_t count = 0;
  for (const Fiber& f : b.fibers) count += f.state != DONE;
  return count;
}

// Open the barrier `state` for these blocks if all of their threads that still run stand at it.
inline bool release_barrier(Block* from, Block* to, State state) {
  const Fiber* one = nullptr;
  int count = 0;
  for (Block* b = from; b != to; b++) {
    if (!all_at(*b, state)) return false;
    for (const Fiber& f : b->fibers) {
      if (f.state == DONE) continue;
      if (one && std::strcmp(one->at, f.at))
        fail(std::string("divergent barriers: ") + where(*one) + " waits at " + one->at + ", " +
             where(f) + " at " + f.at);
      one = &f;
      count += f.predicate != 0;
    }
  }
  if (!one) return false;
  for (Block* b = from; b != to; b++)
    for (Fiber& f : b->fibers)
      if (f.state == state) f.count = count, f.state = READY;
  return true;
}

inline std::string who_waits() {  // how many threads, where, and the first of them
  struct Place { std::string name; int count; const Fiber* first; };
  std::vector<Place> places;
  for (const Block& b : resident)
    for (const Fiber& f : b.fibers) {
      if (f.state == DONE || f.state == READY) continue;
      const std::string name = f.at;
      auto place = std::find_if(places.begin(), places.end(), [&](auto& p) { return p.name == name; });
      if (place == places.end()) places.push_back({name, 1, &f});
      else place->count++;
    }
  std::string text = "deadlock:";
  for (const Place& p : places)
    text += " " + std::to_string(p.count) + " wait in " + p.name + ", first " + where(*p.first) + ";";
  return text + " the others do not come";
}

// --------------------------------------------------------------------------------------- running

inline void show_shared(Block& b, bool in) {  // swap a block's static shared memory in or out
  if (resident.size() == 1 || b.image.empty()) return;
  unsigned char* live = __start_cuda_shared;
  if (in) std::memcpy(live, b.image.data(), b.image.size());
  else std::memcpy(b.image.data(), live, b.image.size());
}

inline std::vector<size_t> order(size_t count) {
  std::vector<size_t> turn(count);
  for (size_t i = 0; i < count; i++) turn[i] = launch_.schedule == REVERSE ? count - 1 - i : i;
  if (launch_.schedule == SHUFFLED)
    for (size_t i = count; i > 1; i--) std::swap(turn[i - 1], turn[draw() % i]);
  return turn;
}

inline void prepare(size_t slot, size_t number) {
  Block& b = resident[slot];
  const unsigned *g = launch_.grid, *size = launch_.block;
  b.index = {unsigned(number % g[0]), unsigned(number / g[0] % g[1]),
             unsigned(number / (size_t(g[0]) * g[1]))};
  b.rank = unsigned(number % launch_.cluster);
  b.fibers.resize(size_t(size[0]) * size[1] * size[2]);
  b.seen.resize(b.fibers.size() + 32);
  for (size_t i = 0; i < b.fibers.size(); i++) {
    Fiber& f = b.fibers[i];
    f.stack = stack(slot * b.fibers.size() + i);
    f.thread = {unsigned(i % size[0]), unsigned(i / size[0] % size[1]), unsigned(i / size[0] / size[1])};
    f.number = unsigned(i);
    f.block = &b;
    f.state = READY;
    f.copies.assign(1, {});
    f.under_way = {};
  }
  b.under_way = {};
  // Nobody has written to shared memory yet: it is full of NaN.
  const size_t bytes = __start_cuda_shared ? __stop_cuda_shared - __start_cuda_shared : 0;
  b.image.assign(bytes, 0xff);
  if (bytes) std::memset(__start_cuda_shared, 0xff, bytes);
  if (launch_.dynamic_bytes > MOST) fail("more dynamic shared memory than any GPU has");
  const size_t size_of_dynamic = (launch_.dynamic_bytes + 127) / 128 * 128;
  b.dynamic = dynamic_memory(slot) - size_of_dynamic;
  std::memset(b.dynamic, 0xff, size_of_dynamic);
}

// Give each thread of a block a turn; return whether any got further. Forward, all warps go step by
// step; otherwise each goes as far as it can before the next: one may be far ahead of another. Where
// blocks wait for each other, some warps of the shuffled schedule have not moved when others' have.
inline bool run_block(Block& b) {
  bool progress = false;
  const size_t count = b.fibers.size(), warps = (count + 31) / 32;
  for (size_t w : order(warps)) {
    const size_t first = 32 * w;
    if (resident.size() > 1 && launch_.schedule == SHUFFLED && draw() % 2) continue;  // it falls behind
    const auto lanes = order(std::min<size_t>(32, count - first));
    do {
      for (size_t l : lanes) {
        Fiber& f = b.fibers[first + l];
        if (f.state != READY && f.state != PAUSED) continue;
        progress |= f.state == READY;
        resume(f);
        progress |= f.state != PAUSED;
      }
    } while (release_warp(b, first) && (progress = true, launch_.schedule != FORWARD));
  }
  return progress;
}

// Run the resident blocks to their end.
inline void run_resident() {
  constexpr int PATIENCE = 64;  // turns in which all that run only look whether something has come
  for (int idle = 0;;) {
    bool progress = false;
    size_t left = 0;
    for (size_t i : order(resident.size())) {
      Block& b = resident[i];
      show_shared(b, true);
      progress |= run_block(b);
      show_shared(b, false);
      progress |= release_barrier(&b, &b + 1, AT_BARRIER);
      left += alive(b);
      if (!alive(b) && !b.under_way.boxes.empty()) fail("a block ends before its copies have landed");
    }
    for (size_t c = 0; c < resident.size(); c += launch_.cluster)
      progress |= release_barrier(&resident[c], &resident[c] + launch_.cluster, AT_CLUSTER_BARRIER);
    if (!left) return;
    idle = progress ? 0 : idle + 1;
    if (idle > PATIENCE) fail(who_waits());
  }
}

inline void run_grid() {
  const size_t count = size_t(launch_.grid[0]) * launch_.grid[1] * launch_.grid[2];
  const size_t together = launch_.cooperative ? count : launch_.cluster;
  if (count % launch_.cluster) fail("the grid is not a multiple of the cluster");
  resident.resize(together);
  for (Block& b : resident)
    for (Fiber& f : b.fibers) f.started = false;  // other kernels have used its stack
  for (size_t group : order(count / together)) {
    for (size_t i = 0; i < together; i++) prepare(i, group * together + i);
    run_resident();
  }
}

// A thread did what a GPU would refuse too: leave everything, and say what it was.
inline void on_signal(int signal, siginfo_t* info, void*) {
  launch_.fault = signal == SIGILL ? 0 : reinterpret_cast<uint64_t>(info->si_addr);
  message = where(*now) + (signal == SIGILL   ? " is outside of a declared array, or misaligned"
                           : signal == SIGFPE ? " divides by zero"
                                              : " reaches outside of all arrays");
  _longjmp(escape, 1);
}

inline const char* run(Launch* asked, std::function<void()> kernel) {
  constexpr int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  static unsigned char signal_stack[1 << 16];
  launch_ = *asked;
  random_state = launch_.seed * 2654435761u + 88172645463325252ull;
  body = std::move(kernel);
  message.clear();
  stack_t stack{signal_stack, 0, sizeof signal_stack}, stack_before;
  struct sigaction action{}, before[4];
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaltstack(&stack, &stack_before);
  for (int i = 0; i < 4; i++) sigaction(SIGNALS[i], &action, &before[i]);
  if (!_setjmp(escape)) run_grid();
  for (int i = 0; i < 4; i++) sigaction(SIGNALS[i], &before[i], nullptr);
  sigaltstack(&stack_before, nullptr);
  asked->fault = launch_.fault;
  return message.empty() ? nullptr : message.c_str();
}

}  // namespace emulator
