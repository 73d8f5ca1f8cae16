// What Python calls: an entry point of a kernel, with its arguments behind pointers.
#pragma once
#include "cuda_c.h"

namespace emulator {

// p for a pointer, f d for floating point, i u l L for integers (l, L have 8 bytes), s for a struct of
// words of 8 bytes, ? for anything else
template <typename T> constexpr char kind() {
  if (std::is_pointer_v<T>) return 'p';
  if (std::is_same_v<T, float>) return 'f';
  if (std::is_same_v<T, double>) return 'd';
  if (std::is_integral_v<T> && sizeof(T) == 8) return std::is_signed_v<T> ? 'l' : 'L';
  if (std::is_integral_v<T> && sizeof(T) == 4) return std::is_signed_v<T> ? 'i' : 'u';
  if (std::is_class_v<T> && sizeof(T) % 8 == 0) return 's';
  return '?';
}

template <typename... T> const char* signature(void (*)(T...)) {
  static const char text[] = {kind<T>()..., 0};
  return text;
}

template <typename... T> const unsigned* sizes(void (*)(T...)) {
  static const unsigned bytes[] = {sizeof(T)..., 0};
  return bytes;
}

template <typename T> T argument(const void* given) {  // which may be less aligned than T
  std::remove_cv_t<T> own;
  std::memcpy(&own, given, sizeof own);
  return own;
}

template <typename... T, size_t... N>
const char* call(void (*kernel)(T...), Launch* how, void** given, std::index_sequence<N...>) {
  return run(how, [=] { kernel(argument<T>(given[N])...); });
}

template <typename... T> const char* start(void (*kernel)(T...), Launch* how, void** given) {
  return call(kernel, how, given, std::index_sequence_for<T...>{});
}

}  // namespace emulator

#define EXPORTED extern "C" __attribute__((visibility("default"))) const char*
#define ENTRY(name)                                                        \
  extern "C" __attribute__((visibility("default"))) const unsigned*        \
  sizes_of_##name() { return emulator::sizes(name); }                      \
  EXPORTED signature_of_##name() { return emulator::signature(name); }     \
  EXPORTED run_##name(emulator::Launch* how, void** given) {               \
    return emulator::start(name, how, given);                              \
  }
