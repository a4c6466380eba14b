#include "cluster/replication/log_view.h"

#include <algorithm>
#include <cassert>

namespace quiver::cluster::replication {

LogView::LogView(const Persisted& persisted)
    : history_(persisted.history),
      first_(persisted.first),
      durable_(persisted.history.tail()),
      applied_(persisted.applied) {
  assert(applied_ <= tail());
  assert(persisted.unapplied.size() == raw(tail()) - raw(applied_));
  Seq seq = applied_;
  for (const RequestId& request : persisted.unapplied) {
    seq = next(seq);
    unapplied_.push_back(request);
    if (!request.empty()) by_request_.emplace(request, seq);
  }
}

std::optional<Seq> LogView::find(const RequestId& request) const {
  if (request.empty()) return std::nullopt;
  const auto found = by_request_.find(request);
  if (found == by_request_.end()) return std::nullopt;
  return found->second;
}

Ticket LogView::issue() {
  issued_ = Ticket{static_cast<std::uint64_t>(issued_) + 1};
  writes_.push_back({issued_, tail()});
  return issued_;
}

void LogView::add(const RequestId& request) {
  unapplied_.push_back(request);
  if (!request.empty()) by_request_.emplace(request, tail());
}

Ticket LogView::append(Term term, const RequestId& request) {
  history_.append(term);
  add(request);
  return issue();
}

Ticket LogView::append(const std::vector<EntryHead>& heads, std::size_t from) {
  for (std::size_t i = from; i < heads.size(); ++i) {
    history_.append(heads[i].term);
    add(heads[i].request);
  }
  return issue();
}

Ticket LogView::truncate_after(Seq last) {
  assert(last >= applied_);
  while (tail() > last) {
    forget_back();
    history_.truncate_after(Seq{raw(tail()) - 1});
  }
  // What was on its way to disk behind `last` is not what will stand there.
  durable_ = std::min(durable_, last);
  for (Write& write : writes_) write.tail = std::min(write.tail, last);
  return issue();
}

Ticket LogView::install(const History& history) {
  history_ = history;
  first_ = next(tail());
  applied_ = tail();
  durable_ = Seq{0};
  for (Write& write : writes_) write.tail = Seq{0};
  unapplied_.clear();
  by_request_.clear();
  return issue();
}

Ticket LogView::write() {
  return issue();
}

void LogView::synced(Ticket through) {
  synced_ = std::max(synced_, std::min(through, issued_));
  while (!writes_.empty() && writes_.front().ticket <= synced_) {
    // A truncation in between lowers it for good.
    durable_ = writes_.front().tail;
    writes_.pop_front();
  }
}

void LogView::applied(Seq through) {
  assert(through <= tail());
  while (applied_ < through) forget_front();
}

void LogView::forget_back() {
  const auto found = by_request_.find(unapplied_.back());
  if (found != by_request_.end() && found->second == tail()) by_request_.erase(found);
  unapplied_.pop_back();
}

void LogView::forget_front() {
  applied_ = next(applied_);
  const auto found = by_request_.find(unapplied_.front());
  if (found != by_request_.end() && found->second == applied_) by_request_.erase(found);
  unapplied_.pop_front();
}

}  // namespace quiver::cluster::replication
