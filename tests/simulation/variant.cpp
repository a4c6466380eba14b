#include "tests/simulation/variant.h"

#include <algorithm>

namespace quiver::simulation {
namespace {

using namespace cluster::replication;

struct NoReadGate : SafetyRules {
  bool knows_all(Seq, Seq) const override { return true; }
};
struct JoinsAtCommit : SafetyRules {
  Seq join_at(Seq commit, Seq) const override { return commit; }
};
struct NoTermCheck : SafetyRules {
  bool accepts(Term, Term) const override { return true; }
};
struct SameTermAfterRestart : SafetyRules {
  bool may_reign(Term record, Term seen) const override { return record >= seen; }
};
struct EjectsBeforeTheSwap : SafetyRules {
  bool required(const Peer& peer) const override {
    return SafetyRules::required(peer) && !peer.leaving;
  }
};
struct SwapsBeforeJoining : SafetyRules {
  bool required(const Peer& peer) const override { return peer.standing == Standing::InSync; }
};
struct ActsBeforeTermIsDurable : SafetyRules {
  bool acts(bool) const override { return true; }
};

template <typename Rules>
Variant wrong_rule(std::string_view name, std::string_view what) {
  Variant variant;
  variant.name = name;
  variant.what = what;
  variant.rules = std::make_shared<Rules>();
  return variant;
}

Variant wrong_option(std::string_view name, std::string_view what,
                     void (*adjust)(ReplicationOptions&)) {
  Variant variant;
  variant.name = name;
  variant.what = what;
  variant.adjust = adjust;
  return variant;
}

Variant wrong_shell(std::string_view name, std::string_view what, bool Variant::*flag) {
  Variant variant;
  variant.name = name;
  variant.what = what;
  variant.*flag = true;
  return variant;
}

std::vector<Variant> make() {
  return {
      Variant{},
      wrong_rule<NoReadGate>("no-read-gate", "R1: a new primary reads behind its gate"),
      wrong_rule<JoinsAtCommit>("join-at-commit", "C5: a copy joins at commit, not at the gate"),
      wrong_rule<NoTermCheck>("no-term-check", "W5: a copy listens to an older primary"),
      wrong_rule<SameTermAfterRestart>("same-term", "F5: a restarted primary keeps its term"),
      wrong_rule<EjectsBeforeTheSwap>("eject-early", "W7: ejected before the swap is Done"),
      wrong_rule<SwapsBeforeJoining>("swap-before-joining", "C5: in sync before writes wait"),
      wrong_rule<ActsBeforeTermIsDurable>("term-not-durable",
                                          "F2: acts before the term is on disk"),
      wrong_option("no-lease", "R1: reads without leases",
                   [](ReplicationOptions& options) { options.lease = std::chrono::hours{1}; }),
      wrong_option("no-grace", "F2: a new primary does not wait for leases to end",
                   [](ReplicationOptions& options) { options.grace = Duration::zero(); }),
      wrong_shell("syncs-early", "W6: acknowledged before it is durable", &Variant::syncs_early),
      wrong_shell("unknown-is-failed", "W7, C5: Unknown taken for a failure",
                  &Variant::unknown_is_failed),
      wrong_shell("resigns-early", "3.7: resigns before it has stepped down",
                  &Variant::resigns_early),
      wrong_shell("no-dedup", "W3: retries are new writes", &Variant::forgets_requests),
      wrong_shell("promotes-anybody", "F1: a copy that is not in sync is promoted",
                  &Variant::promotes_anybody),
  };
}

}  // namespace

const std::vector<Variant>& variants() {
  static const std::vector<Variant> kVariants = make();
  return kVariants;
}

const Variant* find_variant(std::string_view name) {
  const auto& all = variants();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Variant& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace quiver::simulation
