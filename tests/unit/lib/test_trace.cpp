// SPDX-License-Identifier: MIT
// The reader of traces: what it takes, and what it says about the rest; arrivals.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "suites.h"
#include "trace.h"

namespace kvcpu_test {

namespace {

using kvcpu::serving::arrival_times;
using kvcpu::serving::facts_of;
using kvcpu::serving::read_trace;
using kvcpu::serving::Request;
using kvcpu::serving::TraceError;

const std::string good =
    R"({"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [7, 8]})";

std::vector<Request> read(const std::string &text, std::size_t limit = 0) {
    std::istringstream stream(text);
    return read_trace(stream, "t.jsonl", limit);
}

std::string complaint(const std::string &text) {
    try {
        (void)read(text);
    } catch (const TraceError &error) {
        return error.what();
    }
    return "";
}

/* Checks that the message begins with file and line, and contains this text. */
bool complains(const std::string &text, std::size_t line, const char *says) {
    const std::string message = complaint(text);
    const std::string place = "t.jsonl:" + std::to_string(line) + ": ";
    const bool right = message.starts_with(place) && message.find(says) != std::string::npos;
    if (!right) {
        std::fprintf(stderr, "\n  said: %s\n  not:  %s... %s\n", message.c_str(), place.c_str(),
                     says);
    }
    return right;
}

void a_line_is_a_request() {
    const std::vector<Request> requests = read(good + "\n" + good + "\n");
    CU_ASSERT_EQUAL(requests.size(), 2);
    CU_ASSERT_EQUAL(requests[0].timestamp_ms, 0);
    CU_ASSERT_EQUAL(requests[0].input_tokens, 600);
    CU_ASSERT_EQUAL(requests[0].output_tokens, 5);
    CU_ASSERT(requests[0].hash_ids == (std::vector<uint64_t>{7, 8}));
    CU_ASSERT_EQUAL(requests[0].output_blocks(), 0); /* 605 tokens still fit */
    CU_ASSERT_EQUAL(requests[0].total_blocks(), 2);
}

void ends_of_lines_do_not_matter() {
    CU_ASSERT_EQUAL(read(good).size(), 1);
    CU_ASSERT_EQUAL(read(good + "\r\n" + good + "\r\n").size(), 2);
    CU_ASSERT_EQUAL(read("\n\n" + good + "\n \t\n\n" + good).size(), 2);
    CU_ASSERT_EQUAL(read("\xef\xbb\xbf" + good).size(), 1); /* a byte order mark */
}

void other_keys_and_any_order_are_taken() {
    const std::vector<Request> requests = read(
        R"({"hash_ids":[1],"model":"x","nested":{"timestamp":[{}],"timestamp":2},"output_length":0,)"
        R"("input_length":512,"timestamp":3})");
    CU_ASSERT_EQUAL(requests.size(), 1);
    CU_ASSERT_EQUAL(requests[0].timestamp_ms, 3);
}

void a_limit_ends_the_reading() {
    CU_ASSERT_EQUAL(read(good + "\n" + good + "\nrubbish", 2).size(), 2);
}

void an_empty_trace_is_none() {
    CU_ASSERT_STRING_EQUAL(complaint("").c_str(), "t.jsonl: holds no request");
    CU_ASSERT_STRING_EQUAL(complaint("\n \r\n\n").c_str(), "t.jsonl: holds no request");
}

void what_is_not_json_is_shown() {
    CU_ASSERT(complains(good + "\n" + good.substr(0, 40), 2, "is not JSON (cut short?): {\"time"));
    CU_ASSERT(complains("timestamp,input_length\n", 1, "is not JSON"));
    CU_ASSERT(complains(good + good, 1, "is not JSON"));
    CU_ASSERT(complains(good + "\n\n" + std::string("\0\0\0", 3), 3, "is not JSON"));
    CU_ASSERT(complains("{\"timestamp\": \"\xff\xfe\"}", 1, "is not JSON"));
    CU_ASSERT(complains(std::string(100'000, '['), 1, "is not JSON"));
    CU_ASSERT(complains(std::string(100'000, 'x'), 1, "is not JSON"));
    CU_ASSERT(complaint(std::string(100'000, 'x')).size() < 200);
    CU_ASSERT(complains("[1, 2]", 1, "is not a JSON object"));
    CU_ASSERT(complains(std::string(100'000, '[') + std::string(100'000, ']'), 1,
                        "is not a JSON object"));
    CU_ASSERT(complains("null", 1, "is not a JSON object"));
}

/* `good` with one value replaced. */
std::string with(const char *key, const std::string &value) {
    const std::string quoted = std::string("\"") + key + "\": ";
    const std::size_t first = good.find(quoted) + quoted.size();
    const bool list = good[first] == '[';
    const std::size_t end = list ? good.find(']', first) + 1 : good.find_first_of(",}", first);
    return good.substr(0, first) + value + good.substr(end);
}

void values_have_a_type_and_a_range() {
    for (const char *key : {"timestamp", "input_length", "output_length"}) {
        for (const char *value : {"-1", "1.5", "\"1\"", "null", "true", "[]", "4294967296",
                                  "18446744073709551616", "1e3"}) {
            CU_ASSERT(complains(good + "\n" + with(key, value), 2,
                                (std::string("\"") + key + "\" is ").c_str()));
        }
    }
    CU_ASSERT(complains(with("timestamp", "1e999"), 1, "")); /* not a number */
    CU_ASSERT(complains(with("input_length", "0"), 1, "\"input_length\" is 0"));
    CU_ASSERT(complains(with("hash_ids", "7"), 1, "has no list \"hash_ids\""));
    CU_ASSERT(complains(with("hash_ids", "{}"), 1, "has no list \"hash_ids\""));
    for (const char *value : {"[7, -8]", "[7, \"8\"]", "[7, 8.0]", "[7, null]", "[7, [8]]",
                              "[7, 18446744073709551616]"}) {
        CU_ASSERT(complains(with("hash_ids", value), 1, "\"hash_ids\" holds "));
    }
    CU_ASSERT_EQUAL(read(with("hash_ids", "[7, 18446744073709551615]"))[0].hash_ids[1], UINT64_MAX);
    CU_ASSERT_EQUAL(read(with("output_length", "4294967295"))[0].output_tokens, 4294967295);
}

void every_key_is_there_once() {
    CU_ASSERT(complains("{}", 1, "has no \"timestamp\""));
    CU_ASSERT(complains(R"({"timestamp": 1, "output_length": 1, "hash_ids": []})", 1,
                        "has no \"input_length\""));
    CU_ASSERT(complains(R"({"timestamp": 1, "input_length": 1, "hash_ids": []})", 1,
                        "has no \"output_length\""));
    CU_ASSERT(complains(R"({"timestamp": 1, "input_length": 1, "output_length": 1})", 1,
                        "has no list \"hash_ids\""));
    CU_ASSERT(complains(good.substr(0, good.size() - 1) + R"(, "timestamp": 1})", 1,
                        "has \"timestamp\" twice"));
}

void a_prompt_has_a_block_for_every_512_tokens() {
    CU_ASSERT(complains(with("hash_ids", "[7]"), 1,
                        "\"hash_ids\" has 1 ids, and 600 tokens are 2 blocks of 512"));
    CU_ASSERT(complains(with("hash_ids", "[]"), 1, "has 0 ids"));
    CU_ASSERT(complains(with("hash_ids", "[7, 8, 9]"), 1, "has 3 ids"));
    CU_ASSERT(complains(with("input_length", "1025"), 1, "1025 tokens are 3 blocks"));
    CU_ASSERT_EQUAL(complaint(with("input_length", "1024")), "");
}

void time_does_not_go_back() {
    CU_ASSERT(complains(
        with("timestamp", "5") + "\n" + with("timestamp", "5") + "\n\n" + with("timestamp", "4"), 4,
        "\"timestamp\" goes back"));
}

void files_are_read() {
    const auto said = [](const char *path) -> std::string {
        try {
            (void)kvcpu::serving::read_trace_file(path, 0);
        } catch (const TraceError &error) {
            return error.what();
        }
        return "";
    };
    CU_ASSERT_STRING_EQUAL(said("/no/such/trace").c_str(),
                           "/no/such/trace: No such file or directory");
    CU_ASSERT_STRING_EQUAL(said("/dev/null").c_str(), "/dev/null: holds no request");
    CU_ASSERT(said("/dev").starts_with("/dev: "));
}

Request at(uint64_t timestamp_ms) {
    Request request;
    request.timestamp_ms = timestamp_ms;
    request.input_tokens = 512;
    request.hash_ids = {1};
    return request;
}

void arrivals_are_spread_within_their_tick() {
    std::vector<Request> requests;
    requests.reserve(3000);
    for (int i = 0; i < 3000; ++i) {
        requests.push_back(at(i < 1000 ? 0 : i < 2000 ? 2999 : 6001));
    }
    const std::vector<double> times = arrival_times(requests, 1.0, 1);
    CU_ASSERT_EQUAL(times.size(), 3000);
    CU_ASSERT(std::is_sorted(times.begin(), times.end()));
    /* The first 2,000 share a tick: 2,999 ms lie in it. */
    CU_ASSERT(times[0] >= 0 && times[0] < 0.02);
    CU_ASSERT(times[1999] > 2.98 && times[1999] < 3);
    CU_ASSERT(times[2000] >= 6 && times[2000] < 6.02);
    CU_ASSERT(times[2999] > 8.98 && times[2999] < 9);
    /* Evenly: half of them in each half, within four standard deviations. */
    const auto middle = std::lower_bound(times.begin(), times.begin() + 2000, 1.5);
    CU_ASSERT(std::abs(middle - times.begin() - 1000) < 90);
}

void arrivals_follow_scale_and_seed() {
    const std::vector<Request> requests = {at(0), at(0), at(3000), at(9000)};
    const std::vector<double> times = arrival_times(requests, 1.0, 5);
    CU_ASSERT(times == arrival_times(requests, 1.0, 5));
    CU_ASSERT(times != arrival_times(requests, 1.0, 6));
    const std::vector<double> slower = arrival_times(requests, 0.25, 5);
    for (std::size_t i = 0; i < times.size(); ++i) {
        CU_ASSERT_DOUBLE_EQUAL(slower[i], 4 * times[i], 1e-12);
    }
}

void facts_are_counted() {
    std::vector<Request> requests = read(
        R"({"timestamp": 0, "input_length": 600, "output_length": 1000, "hash_ids": [7, 8]}
{"timestamp": 0, "input_length": 1536, "output_length": 1, "hash_ids": [7, 9, 10]}
{"timestamp": 0, "input_length": 1, "output_length": 511, "hash_ids": [11]})");
    const kvcpu::serving::TraceFacts facts = facts_of(requests);
    CU_ASSERT_EQUAL(facts.block_uses, 6);
    CU_ASSERT_EQUAL(facts.distinct_blocks, 5);
    CU_ASSERT_EQUAL(facts.output_blocks, 2 + 1 + 0);
    CU_ASSERT_EQUAL(facts.largest_request, 4);
    CU_ASSERT_EQUAL(facts.blocks_to_keep_everything(), 8);
}

}  // namespace

void add_trace_suite() {
    Suite("trace")
        .test("a line is a request", a_line_is_a_request)
        .test("ends of lines do not matter", ends_of_lines_do_not_matter)
        .test("other keys and any order are taken", other_keys_and_any_order_are_taken)
        .test("a limit ends the reading", a_limit_ends_the_reading)
        .test("an empty trace is none", an_empty_trace_is_none)
        .test("what is not JSON is shown", what_is_not_json_is_shown)
        .test("values have a type and a range", values_have_a_type_and_a_range)
        .test("every key is there once", every_key_is_there_once)
        .test("a prompt has a block for every 512 tokens",
              a_prompt_has_a_block_for_every_512_tokens)
        .test("time does not go back", time_does_not_go_back)
        .test("files are read", files_are_read)
        .test("arrivals are spread within their tick", arrivals_are_spread_within_their_tick)
        .test("arrivals follow scale and seed", arrivals_follow_scale_and_seed)
        .test("facts are counted", facts_are_counted);
}

}  // namespace kvcpu_test
