// Runs the protocol of replication over seeds: simulate --seeds 0..9999 [--variant NAME] [--trace]
//
// Exit code 0: no seed showed a violation; with a wrong variant: one did. A seed that shows one is
// printed, and the end of its trace; it shows the same whenever it is run.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include <string_view>

#include "tests/simulation/world.h"

namespace {

using namespace quiver::simulation;

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t last = 999;
  const Variant* variant = nullptr;
  bool trace = false;
  bool all = false;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool parse_seeds(std::string_view text, Arguments& arguments) {
  const auto dots = text.find("..");
  const auto first = number(text.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : number(text.substr(dots + 2));
  if (!first || !last || *last < *first) return false;
  arguments.first = *first;
  arguments.last = *last;
  return true;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  arguments.variant = find_variant("rules");
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const bool more = i + 1 < argc;
    if (option == "--seeds" && more) {
      if (!parse_seeds(argv[++i], arguments)) return std::nullopt;
    } else if (option == "--variant" && more) {
      arguments.variant = find_variant(argv[++i]);
      if (arguments.variant == nullptr) return std::nullopt;
    } else if (option == "--trace") {
      arguments.trace = true;
    } else if (option == "--all") {
      arguments.all = true;
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

int usage() {
  std::cerr << "usage: simulate [--seeds FIRST..LAST] [--variant NAME] [--trace] [--all]\n"
               "  --trace  print all that happens\n"
               "  --all    go on after a violation\n";
  for (const Variant& variant : variants()) {
    std::cerr << "  variant " << variant.name << ": " << variant.what << '\n';
  }
  return 2;
}

void print_trace(std::uint64_t seed, const Variant& variant) {
  constexpr std::size_t kShown = 12'000;
  std::ostringstream trace;
  simulate(seed, variant, &trace);
  const std::string text = trace.str();
  const auto begin = text.size() > kShown ? text.find('\n', text.size() - kShown) + 1 : 0;
  std::cout << text.substr(begin);
}

int run(const Arguments& arguments) {
  const Variant& variant = *arguments.variant;
  const auto began = std::chrono::steady_clock::now();
  Stats stats;
  std::uint64_t runs = 0;
  std::uint64_t violations = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    const Outcome outcome = simulate(seed, variant, arguments.trace ? &std::cout : nullptr);
    ++runs;
    stats.add(outcome.stats);
    if (!outcome.violation) continue;
    if (++violations == 1 && !arguments.trace && &variant == &variants().front()) {
      print_trace(seed, variant);
    }
    std::cout << "violation: seed " << seed << ": " << *outcome.violation << std::endl;
    if (!arguments.all) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << variant.name << ": " << runs << " seeds, " << violations << " violations, "
            << took.count() << " s, " << static_cast<double>(runs) / took.count() << " seeds/s\n";
  Stats::each([&](const char* name, std::uint64_t Stats::*field) {
    std::cout << "  " << name << ' ' << stats.*field;
  });
  std::cout << '\n';
  const bool wanted = &variant == &variants().front() ? violations == 0 : violations > 0;
  return wanted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  return arguments ? run(*arguments) : usage();
}
