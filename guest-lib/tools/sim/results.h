// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_RESULTS_H
#define KVCPU_SIM_RESULTS_H

#include <map>
#include <string>
#include <unordered_map>

#include "point.h"

namespace kvcpu::sim {

/* What a point is, apart from where its trace lies: equal in whatever process, on any machine. */
class Names {
  public:
    /* Reads each trace once more, for its digest. Throws std::runtime_error. */
    [[nodiscard]] std::string of(const Point &point);
    /* This program's own digest: another build may give other figures. */
    [[nodiscard]] static const std::string &program();

  private:
    std::map<std::string, std::string> digests_;  // by path
};

/*
 * The results of a sweep: JSON lines in one file, to which each is appended in one piece; or, where
 * the path is a folder or ends with a slash, a file a point, each put in place by a rename. Several
 * processes may share either; where they are on several machines, a folder. What was cut off when a
 * process died is not counted, and is taken away before the next line is added.
 * All throw std::runtime_error that names the file, and the line where there is one.
 */
class Results {
  public:
    /* `-`: lines to standard output, and nothing is known of earlier ones. */
    explicit Results(std::string path);

    /* The runs that are there already, by name; those that another build made are refused. */
    std::unordered_map<std::string, Json> known();
    /* Takes away what was cut off. */
    void mend();
    void add(const std::string &name, Json run);

  private:
    [[nodiscard]] std::string file_of(const std::string &name) const;
    void read(const std::string &path, std::unordered_map<std::string, Json> &runs) const;

    std::string path_;
    bool is_folder_;
};

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_RESULTS_H
