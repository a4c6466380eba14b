// Processor time of the built-in embedding model on one core, for each instruction set that this
// processor has:
//   embedding_bench DIRECTORY-OF-THE-MODEL
// One window of a given number of tokens at a time, as a query is; then 32 short texts together, as
// a batch is.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "embedding/minilm/model.h"

namespace quiver::embedding::minilm {
namespace {

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// Multiplications and additions of one window.
double operations(std::size_t tokens) {
  const double dense = 4.0 * kHidden * kHidden + 2.0 * kHidden * kInner;
  const double attention = 2.0 * static_cast<double>(tokens) * kHidden;
  return 2.0 * kLayers * static_cast<double>(tokens) * (dense + attention);
}

/// The least time of one encode() of `windows`, of as many as fit into half a second.
double least_ms(const Encoder& encoder, const std::vector<Window>& windows) {
  std::vector<float> vectors(windows.size() * kHidden);
  double least = 1e9;
  const double begin = cpu_ms();
  do {
    const double before = cpu_ms();
    encoder.encode(windows, vectors.data());
    least = std::min(least, cpu_ms() - before);
  } while (cpu_ms() - begin < 500);
  return least;
}

void measure(const Encoder& encoder) {
  std::vector<TokenId> tokens(kWindow);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<TokenId>(1000 + i * 97 % 29'000);
  }
  const std::span<const TokenId> all(tokens);
  for (const std::size_t count : {8, 16, 32, 64, 128, 256}) {
    const double ms = least_ms(encoder, {all.first(count)});
    std::printf("%-9s %3zu tokens       %7.2f ms  %5.1f GFLOP/s\n", encoder.kernels_name(), count,
                ms, operations(count) / ms / 1e6);
  }
  const double ms = least_ms(encoder, std::vector<Window>(32, all.first(12))) / 32;
  std::printf("%-9s  12 tokens, x 32 %7.2f ms  %5.1f GFLOP/s\n", encoder.kernels_name(), ms,
              operations(12) / ms / 1e6);
}

Result<Weights> read_weights(const std::filesystem::path& dir) {
  QV_TRY(const FileBytes bytes, read_model_file(dir, model_files().back()));
  QV_TRY(const auto file, Safetensors::parse(bytes.data()));
  return Weights::read(file);
}

void print_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM") || line.starts_with("VmRSS")) std::printf("%s\n", line.c_str());
  }
}

int run(const std::filesystem::path& dir) {
  const auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_ms();
  auto model = Model::load(dir);
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  const auto taken = std::chrono::steady_clock::now() - begin;
  std::printf("load %.0f ms (%.0f ms of the processor)\n",
              std::chrono::duration<double, std::milli>(taken).count(), cpu_ms() - cpu);
  print_memory();
  std::string text;
  while (text.size() < 2048) text += "Tokens of 2 kilobytes, cafe or café: (measured) together. ";
  double least = 1e9;
  for (int i = 0; i < 100; ++i) {
    const double before = cpu_ms();
    const auto tokens = (*model)->tokenizer.tokenize(text);
    if (!tokens.empty()) least = std::min(least, cpu_ms() - before);
  }
  std::printf("tokenize %zu bytes   %7.3f ms\n", text.size(), least);
  model->reset();
  for (const Kernels* kernels : usable_kernels()) {
    auto weights = read_weights(dir);
    if (!weights.ok()) return 1;
    measure(Encoder(*std::move(weights), *kernels));
  }
  return 0;
}

}  // namespace
}  // namespace quiver::embedding::minilm

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embedding_bench DIRECTORY-OF-THE-MODEL\n");
    return 2;
  }
  return quiver::embedding::minilm::run(argv[1]);
}
