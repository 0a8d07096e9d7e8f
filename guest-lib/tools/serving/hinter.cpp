// SPDX-License-Identifier: MIT
#include "hinter.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace kvcpu::serving {

std::vector<std::string> HintKinds::names() const {
    std::vector<std::string> names;
    if (step) {
        names.emplace_back("step");
    }
    if (prefetchable) {
        names.emplace_back("prefetchable");
    }
    if (evictable) {
        names.emplace_back("evictable");
    }
    if (share) {
        names.emplace_back("share");
    }
    return names;
}

HintKinds HintKinds::parse(const std::string &text) {
    HintKinds kinds;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
        if (word == "all") {
            kinds = {true, true, true, true};
        } else if (word == "step") {
            kinds.step = true;
        } else if (word == "prefetchable") {
            kinds.prefetchable = true;
        } else if (word == "evictable") {
            kinds.evictable = true;
        } else if (word == "share") {
            kinds.share = true;
        } else if (word != "none") {
            throw std::invalid_argument("'" + word + "' is no kind of hint; there are none, all, " +
                                        "step, prefetchable, evictable, share");
        }
    }
    return kinds;
}

void Hinter::step(Batch &batch, uint64_t step, const Queue &queue, uint64_t room) {
    step_ = step;
    if (kinds_.step) {
        batch.step(step);
    }
    prefetch_queue(batch, queue, room);
}

void Hinter::prefetch_queue(Batch &batch, const Queue &queue, uint64_t room) {
    if (!kinds_.prefetchable) {
        return;
    }
    /* A request starts when the prompts before it are computed, which takes this many steps or
     * more. */
    uint64_t tokens_ahead = 0;
    const auto next = [&](std::size_t number) {
        prefetch(batch, number, step_ + 1 + tokens_ahead / tokens_per_step_, room);
        tokens_ahead += requests_[number].input_tokens;
        return room > 0;
    };
    bool go_on = room > 0;
    for (auto number = queue.arrived.begin(); go_on && number != queue.arrived.end(); ++number) {
        go_on = next(*number);
    }
    for (std::size_t number = queue.foreseen_from; go_on && number < queue.foreseen_end; ++number) {
        go_on = next(number);
    }
}

void Hinter::prefetch(Batch &batch, std::size_t request, uint64_t target, uint64_t &room) {
    std::vector<uint32_t> known;
    uint64_t in_use = 0;
    for (const uint64_t id : requests_[request].hash_ids) {
        const std::optional<uint32_t> block = store_.find(id);
        if (!block) {
            break;
        }
        if (store_.at(*block).users == 0) {
            known.push_back(*block);
        } else {
            ++in_use;
        }
    }
    if (known.size() > room) {
        known.resize(room);
    }
    /* The blocks that this request computes also take room before later requests start. */
    room -= std::min(room, requests_[request].hash_ids.size() - in_use);
    /* An earlier hint is in force until its step has passed. */
    if (targets_[request] >= step_ && targets_[request] != 0) {
        return;
    }
    targets_[request] = target;
    for (const Run &run : runs_of(known)) {
        batch.hint(KVCPU_OP_PREFETCHABLE, run.first, run.count, target);
    }
}

void Hinter::hint_shared(Batch &batch, kvcpu_opcode opcode, const std::vector<uint32_t> &blocks) {
    if (!kinds_.share) {
        return;
    }
    std::vector<uint32_t> shared;
    for (const uint32_t block : blocks) {
        if (store_.at(block).users > 1) {
            shared.push_back(block);
        }
    }
    for (const Run &run : runs_of(shared)) {
        batch.hint(opcode, run.first, run.count);
    }
}

void Hinter::held(Batch &batch, const std::vector<uint32_t> &blocks) {
    hint_shared(batch, KVCPU_OP_SHARE, blocks);
}

/* Called before the store releases the blocks: UNSHARE is given where another user remains. */
void Hinter::release(Batch &batch, const std::vector<uint32_t> &blocks) {
    hint_shared(batch, KVCPU_OP_UNSHARE, blocks);
}

void Hinter::done_with(Batch &batch, const std::vector<uint32_t> &blocks) {
    if (!kinds_.evictable) {
        return;
    }
    for (const Run &run : runs_of(blocks)) {
        batch.hint(KVCPU_OP_EVICTABLE, run.first, run.count);
    }
}

/* -- Sessions that are over ------------------------------------------------ */

void Hinter::computed(std::size_t request) {
    if (ends_.foresight == nullptr) {
        return;
    }
    const std::vector<uint64_t> &ids = requests_[request].hash_ids;
    const std::size_t full = requests_[request].input_tokens / tokens_per_block;
    for (std::size_t i = 1; i < full; ++i) {
        Branch &branch = branches_.try_emplace(ids[i - 1], Branch{ids[i], false}).first->second;
        branch.several = branch.several || branch.first != ids[i];
    }
}

/* A session continues if a later request uses its last full block. */
bool Hinter::is_said_to_be_over(std::size_t request) {
    const std::size_t full = requests_[request].input_tokens / tokens_per_block;
    const bool over = full == 0 || !ends_.foresight->next_user(
                                       requests_[request].hash_ids[full - 1], request + 1);
    const double said = static_cast<double>(random_() >> 11) * 0x1p-53;
    return said < (over ? ends_.recall : ends_.false_alarms);
}

/* Returns the place after the last block at which another prompt continued differently. */
std::size_t Hinter::own_blocks_from(std::size_t request) const {
    const std::vector<uint64_t> &ids = requests_[request].hash_ids;
    for (std::size_t i = ids.size(); i-- > 0;) {
        const auto branch = branches_.find(ids[i]);
        if (branch != branches_.end() && branch->second.several) {
            return i + 1;
        }
    }
    return 0;
}

void Hinter::ended(Batch &batch, std::size_t request, const std::vector<uint32_t> &blocks) {
    if (ends_.foresight == nullptr || !is_said_to_be_over(request)) {
        return;
    }
    std::vector<uint32_t> own;
    for (std::size_t i = own_blocks_from(request); i < blocks.size(); ++i) {
        if (store_.at(blocks[i]).users == 1) {
            own.push_back(blocks[i]);
        }
    }
    for (const Run &run : runs_of(own)) {
        batch.hint(KVCPU_OP_RELEASE, run.first, run.count);
    }
}

}  // namespace kvcpu::serving
