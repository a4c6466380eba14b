// Embeds the lines of a file with the built-in model, as float32 rows.
// Usage: bench_embed_texts MODEL_DIR TEXTS OUT

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "embedding/providers.h"
#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

constexpr std::size_t kBatch = 512;

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

int run(const std::string& model_dir, const std::string& texts, const std::string& target) {
  embedding::Options options;
  options.model_dir = model_dir;
  const embedding::Providers providers(options, {});
  auto provider = providers.find(providers.default_name());
  if (!provider.ok()) {
    std::cerr << "bench_embed_texts: " << provider.error().message << "\n";
    return 1;
  }
  const auto lines = read_lines(texts);
  std::ofstream out(target, std::ios::binary);
  const double start = now_s();
  for (std::size_t at = 0; at < lines.size(); at += kBatch) {
    const std::size_t count = std::min(kBatch, lines.size() - at);
    const auto vectors =
        (*provider)->embed({}, std::span(lines).subspan(at, count), embedding::Purpose::Document);
    if (!vectors.ok()) {
      std::cerr << "bench_embed_texts: " << vectors.error().message << "\n";
      return 1;
    }
    for (const auto& vector : *vectors) {
      out.write(reinterpret_cast<const char*>(vector.data()),
                static_cast<std::streamsize>(vector.size() * sizeof(float)));
    }
    std::cerr << "\rembedded " << at + count << " of " << lines.size() << " texts" << std::flush;
  }
  std::cerr << " in " << now_s() - start << " s\n";
  return out.flush() ? 0 : 1;
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  if (count != 4) {
    std::cerr << "usage: bench_embed_texts MODEL_DIR TEXTS OUT\n";
    return 2;
  }
  return quiver::bench::run(words[1], words[2], words[3]);
}
