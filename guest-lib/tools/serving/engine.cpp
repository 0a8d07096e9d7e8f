// SPDX-License-Identifier: MIT
#include "engine.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "pattern.h"

namespace kvcpu::serving {

namespace {

constexpr uint64_t pin_deadline_ns = KVCPU_PIN_DEADLINE_MAX_NS;
constexpr std::size_t blocks_at_once = 64;
constexpr std::size_t progress_every = 100;
constexpr uint64_t drain_interval_ns = 100'000'000;
/* Identities of output blocks, which have no hash id. */
constexpr uint64_t output_identity = uint64_t{1} << 63;

constexpr uint64_t blocks_for(uint64_t tokens) {
    return (tokens + tokens_per_block - 1) / tokens_per_block;
}

}  // namespace

Engine::Engine(Transport &transport, const Model &model, const std::vector<Request> &requests,
               std::vector<double> arrivals, const HintKinds &hints, uint64_t seed)
    : transport_(transport),
      model_(model),
      requests_(requests),
      arrivals_(std::move(arrivals)),
      seed_(seed),
      block_size_(transport.info().block_size),
      fast_blocks_(transport.info().fast_slots),
      store_(transport, transport.info().blocks, model.cached),
      hinter_(hints, requests, store_, model.prefill_tokens_per_step, model.ends, seed),
      buffer_(blocks_at_once * block_size_),
      channel_(transport, buffer_, block_size_) {}

Figures Engine::run(const std::function<void(std::size_t)> &progress) {
    base_ns_ = transport_.info().time_ns;
    Timeline timeline(transport_, requests_.empty() ? 0 : arrival_ns(requests_.size() - 1));
    std::size_t reported = 0;
    while (figures_.requests < requests_.size()) {
        if (timeline.is_due(clock_ns_)) {
            synchronize();
            timeline.sample(figures_, clock_ns_);
        }
        take_arrivals();
        schedule();
        if (prefill_tokens_ == 0 && decoding_ == 0) {
            skip_idle_time();
        } else {
            end_step();
        }
        if (figures_.requests >= reported + progress_every) {
            reported = figures_.requests;
            progress(reported);
        }
    }
    drain();
    timeline.finish(figures_);
    figures_.timeline = timeline.json();
    figures_.hints_given = channel_.hints();
    figures_.hint_system_calls = channel_.hint_system_calls();
    return figures_;
}

/* Waits until no write-back is left, so that the counters of all runs count the same work. */
void Engine::drain() {
    uint64_t before = 0;
    uint64_t now = transport_.counters()[KVCPU_CNT_WRITE_BACKS];
    do {
        before = now;
        clock_ns_ += drain_interval_ns;
        synchronize();
        now = transport_.counters()[KVCPU_CNT_WRITE_BACKS];
    } while (now != before);
}

uint64_t Engine::arrival_ns(std::size_t number) const {
    return static_cast<uint64_t>(arrivals_[number] * 1e9);
}

uint64_t Engine::identity(const Active &active, std::size_t index) const {
    const std::size_t prompt = active.request->hash_ids.size();
    return index < prompt ? active.request->hash_ids[index]
                          : output_identity | active.number << 20 | (index - prompt);
}

/* -- The device ------------------------------------------------------------ */

void Engine::synchronize() {
    take_completions(0, base_ns_ + clock_ns_);
}

void Engine::take_completions(std::size_t minimum, uint64_t until_ns) {
    std::array<kvcpu_completion, 64> completions{};
    std::size_t taken = 0;
    do {
        const std::error_code error =
            transport_.wait(completions, minimum, until_ns, taken, device_ns_);
        if (error) {
            throw std::system_error(error, "WAIT");
        }
        for (std::size_t i = 0; i < taken; ++i) {
            complete(completions[i]);
        }
        minimum = 0;
        until_ns = 0;
    } while (taken == completions.size());
}

void Engine::complete(const kvcpu_completion &completion) {
    if (const Result result(completion.result); !result.ok()) {
        throw std::runtime_error(std::string("PIN: ") + describe(result.status));
    }
    --pins_waiting_;
    for (const auto &active : running_) {
        if (active->number == completion.user_data) {
            if (--active->pins_waiting == 0 && active->phase == Phase::loading) {
                loaded(*active, completion.time_ns - base_ns_);
            }
            return;
        }
    }
    throw std::runtime_error("a completion for request " + std::to_string(completion.user_data) +
                             ", which waits for none");
}

/* -- A step begins --------------------------------------------------------- */

void Engine::take_arrivals() {
    while (next_arrival_ < requests_.size() && arrival_ns(next_arrival_) <= clock_ns_) {
        queue_.push_back(next_arrival_++);
    }
}

void Engine::schedule() {
    if (pins_waiting_ > 0) {
        synchronize();
    }
    prefill_tokens_ = 0;
    decoding_ = 0;
    uint64_t budget = model_.prefill_tokens_per_step;
    for (const auto &active : running_) {
        if (active->phase == Phase::prefill && budget > 0) {
            budget -= schedule_prefill(*active, budget);
        }
        decoding_ += active->phase == Phase::decode ? 1 : 0;
    }
    if (!hinter_.is_quiet() && (decoding_ > 0 || !queue_.empty() || !running_.empty())) {
        synchronize();
        Batch hints;
        hinter_.step(hints, ++figures_.steps, queue(), room());
        channel_.submit(hints);
    } else {
        ++figures_.steps;
    }
    while (!queue_.empty() && budget > 0 && running_.size() < model_.running_max &&
           fits(requests_[queue_.front()])) {
        admit();
        Active &active = *running_.back();
        if (active.phase == Phase::prefill) {
            budget -= schedule_prefill(active, budget);
        }
    }
    prefill_tokens_ = model_.prefill_tokens_per_step - budget;
}

bool Engine::fits(const Request &request) const {
    return store_.held() + reserved_ + request.total_blocks() <= fast_blocks_;
}

void Engine::admit() {
    synchronize();
    auto active = std::make_unique<Active>();
    active->number = queue_.front();
    active->request = &requests_[active->number];
    active->admitted_ns = clock_ns_;
    queue_.pop_front();
    started_ = active->number + 1;
    for (const uint64_t id : active->request->hash_ids) {
        const std::optional<uint32_t> block = store_.find(id);
        if (!block) {
            break;
        }
        active->blocks.push_back(*block);
    }
    active->found = active->written = active->blocks.size();
    running_.push_back(std::move(active));
    load(*running_.back());
}

/* Pins the blocks that were found, and takes blocks for the rest of the prompt. */
void Engine::load(Active &active) {
    const std::size_t prompt = active.request->hash_ids.size();
    for (const uint32_t block : active.blocks) {
        store_.hold(block);
    }
    const std::vector<uint32_t> found = active.blocks;
    const uint64_t fast_before = figures_.fast;
    ++loading_;
    pin(active, 0, active.found);
    const uint64_t fast = figures_.fast - fast_before;
    figures_.block_uses += prompt;
    figures_.slow += active.found - fast;
    figures_.recomputed += prompt - active.found;

    Batch shares;
    hinter_.held(shares, found);
    channel_.submit(shares);
    take_prompt(active);
    active.is_private.resize(prompt);
    reserved_ += active.request->output_blocks();
    /* The last token is always computed, since the output continues from it. */
    active.computed_tokens =
        std::min(active.found * tokens_per_block, active.request->input_tokens - 1);
    active.to_verify = active.found > 0;
    if (active.pins_waiting == 0) {
        loaded(active, clock_ns_);
    }
}

/* Takes blocks for the part of the prompt to compute. A last block that is not full is separate. */
void Engine::take_prompt(Active &active) {
    const std::size_t full = active.request->input_tokens / tokens_per_block;
    const std::size_t prompt = active.request->hash_ids.size();
    const auto take = [&](std::size_t end, uint64_t tokens) {
        const std::size_t first = active.blocks.size();
        if (first < end) {
            const std::vector<uint32_t> taken =
                store_.take(end - first, first * tokens_per_block, tokens);
            active.blocks.insert(active.blocks.end(), taken.begin(), taken.end());
        }
    };
    take(full, tokens_per_block);
    take(prompt, active.request->input_tokens % tokens_per_block);
}

/* Pins blocks, and counts those of the found blocks that are already in the fast tier. */
void Engine::pin(Active &active, std::size_t first, std::size_t end) {
    if (first == end) {
        return;
    }
    const std::vector<uint32_t> blocks(active.blocks.begin() + static_cast<std::ptrdiff_t>(first),
                                       active.blocks.begin() + static_cast<std::ptrdiff_t>(end));
    Batch batch;
    for (const Run &run : runs_of(blocks)) {
        batch.pin(run.first, run.count, pin_deadline_ns, active.number);
    }
    channel_.submit(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const Result result = batch.result(i);
        if (result.status == KVCPU_SC_PENDING) {
            ++active.pins_waiting;
            ++pins_waiting_;
        }
        figures_.fast += first < active.found ? result.aux : 0;
    }
    active.pinned = end;
}

void Engine::loaded(Active &active, uint64_t when_ns) {
    active.phase = Phase::prefill;
    --loading_;
    const uint64_t done = std::max(when_ns, active.admitted_ns);
    figures_.stall_ns.push_back(done - active.admitted_ns);
}

/* Returns the number of tokens that the request takes from the budget. */
uint64_t Engine::schedule_prefill(Active &active, uint64_t budget) {
    const uint64_t tokens = std::min(budget, active.request->input_tokens - active.computed_tokens);
    active.computed_tokens += tokens;
    const std::size_t touched = blocks_for(active.computed_tokens);
    if (touched > active.pinned) {
        synchronize();
        pin(active, active.pinned, touched);
    }
    /* A request that starts later in this step finds the blocks that this one completes. */
    const bool all = active.computed_tokens == active.request->input_tokens;
    const std::size_t complete = all ? touched : active.computed_tokens / tokens_per_block;
    for (std::size_t i = std::max(active.written, active.found); i < complete; ++i) {
        const uint64_t id = active.request->hash_ids[i];
        active.is_private[i] = store_.find(id).has_value();
        if (!active.is_private[i]) {
            store_.publish(active.blocks[i], id);
        }
    }
    return tokens;
}

/* -- A step ends ----------------------------------------------------------- */

/* Hints the blocks of requests that arrive during a step. They start with the next step or later.
 */
void Engine::pass_time(uint64_t until_ns) {
    while (next_arrival_ < requests_.size() && arrival_ns(next_arrival_) < until_ns) {
        clock_ns_ = std::max(clock_ns_, arrival_ns(next_arrival_));
        take_arrivals();
        if (!hinter_.is_quiet()) {
            synchronize();
            Batch hints;
            hinter_.prefetch_queue(hints, queue(), room());
            channel_.submit(hints);
        }
    }
    clock_ns_ = until_ns;
}

Queue Engine::queue() const {
    const std::size_t left = requests_.size() - next_arrival_;
    return {queue_, next_arrival_, next_arrival_ + std::min(model_.foreseen, left)};
}

/* Returns the number of fast blocks that running requests have not taken. */
uint64_t Engine::room() const {
    return fast_blocks_ - std::min<uint64_t>(fast_blocks_, store_.held());
}

void Engine::end_step() {
    pass_time(clock_ns_ + model_.step_ns + decoding_ * model_.step_per_decoding_ns +
              prefill_tokens_ * model_.step_per_prefill_token_ns);
    for (const auto &active : running_) {
        if (active->phase == Phase::prefill) {
            write_computed(*active);
        }
    }
    for (const auto &active : running_) {
        if (active->phase == Phase::prefill && active->to_verify) {
            verify(*active);
        }
    }
    for (const auto &active : running_) {
        if (active->phase == Phase::decode ||
            (active->phase == Phase::prefill &&
             active->computed_tokens == active->request->input_tokens)) {
            decode(*active);
        }
    }
    for (const auto &active : running_) {
        if (active->is_done()) {
            finish(*active);
        }
    }
    std::erase_if(running_, [](const auto &active) { return active->is_done(); });
}

void Engine::write_computed(Active &active) {
    const bool all = active.computed_tokens == active.request->input_tokens;
    write_until(active,
                all ? active.request->hash_ids.size() : active.computed_tokens / tokens_per_block);
}

/* Gives the blocks before `end` their content, and seals them: they are written back once. */
void Engine::write_until(Active &active, std::size_t end) {
    if (end <= active.written) {
        return;
    }
    synchronize();
    while (active.written < end) {
        Batch batch;
        const std::size_t some = std::min(blocks_at_once, end - active.written);
        for (std::size_t i = 0; i < some; ++i, ++active.written) {
            const uint32_t block = active.blocks[active.written];
            const auto bytes = std::span(buffer_).subspan(i * block_size_, block_size_);
            if (model_.content) {
                Pattern(identity(active, active.written), seed_).write(bytes);
            }
            batch.write(block, 0, bytes);
            if (!active.is_private[active.written]) {
                batch.hint(KVCPU_OP_SEAL, block, 1, identity(active, active.written) + 1);
            }
        }
        channel_.submit(batch);
        figures_.blocks_written += some;
    }
}

void Engine::verify(Active &active) {
    synchronize();
    active.to_verify = false;
    for (std::size_t first = 0; first < active.found; first += blocks_at_once) {
        const std::size_t count = std::min(blocks_at_once, active.found - first);
        const auto blocks = std::span(active.blocks).subspan(first, count);
        channel_.look(blocks, model_.content, [&](std::size_t i, std::span<const std::byte> bytes) {
            const Pattern expected(active.request->hash_ids[first + i], seed_);
            figures_.verification_failures += expected.matches(bytes) ? 0 : 1;
        });
        figures_.blocks_verified += model_.content ? count : 0;
    }
}

/* Produces one token. The first token comes with the end of the prompt. */
void Engine::decode(Active &active) {
    if (active.phase == Phase::prefill) {
        active.phase = Phase::decode;
        figures_.ttft_ns.push_back(clock_ns_ - arrival_ns(active.number));
    }
    if (active.output_tokens < active.request->output_tokens) {
        ++active.output_tokens;
    }
    const uint64_t tokens = active.request->input_tokens + active.output_tokens;
    const std::size_t full = tokens / tokens_per_block;
    if (blocks_for(tokens) > active.blocks.size()) {
        synchronize();
        active.blocks.push_back(
            store_.take(1, active.blocks.size() * tokens_per_block, tokens_per_block).front());
        active.is_private.push_back(false);
        --reserved_;
        pin(active, active.pinned, active.blocks.size());
    }
    const bool last = active.output_tokens >= active.request->output_tokens;
    write_until(active, last ? active.blocks.size() : full);
}

void Engine::finish(Active &active) {
    while (active.pins_waiting > 0) {
        take_completions(1, UINT64_MAX);
    }
    synchronize();
    const auto prompt_end =
        active.blocks.begin() + static_cast<std::ptrdiff_t>(active.request->hash_ids.size());
    const std::vector<uint32_t> output(prompt_end, active.blocks.end());
    Batch batch;
    hinter_.release(batch, active.blocks);
    const std::vector<Run> runs = runs_of(active.blocks);
    for (std::size_t i = runs.size(); i-- > 0;) {
        batch.unpin(runs[i].first, runs[i].count);
    }
    hinter_.done_with(batch, output);
    hinter_.computed(active.number);
    hinter_.ended(batch, active.number, active.blocks);
    channel_.submit(batch);
    for (std::size_t i = active.blocks.size(); i-- > 0;) {
        store_.release(active.blocks[i]);
        if (active.is_private[i]) {
            store_.give_back(active.blocks[i]);
        }
    }
    ++figures_.requests;
}

/* Moves the clock to the next arrival or to the end of a load, if there is nothing to compute. */
void Engine::skip_idle_time() {
    const uint64_t next = next_arrival_ < requests_.size() ? arrival_ns(next_arrival_) : UINT64_MAX;
    if (loading_ == 0) {
        if (next == UINT64_MAX) {
            throw std::runtime_error("request " + std::to_string(queue_.front()) + " needs " +
                                     std::to_string(requests_[queue_.front()].total_blocks()) +
                                     " blocks at once, and the fast tier has " +
                                     std::to_string(fast_blocks_));
        }
        clock_ns_ = std::max(clock_ns_, next);
        return;
    }
    const uint64_t until = next == UINT64_MAX ? UINT64_MAX : base_ns_ + next;
    take_completions(1, until);
    clock_ns_ = std::max(clock_ns_, device_ns_ - base_ns_);
}

}  // namespace kvcpu::serving
