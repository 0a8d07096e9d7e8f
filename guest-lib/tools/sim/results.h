// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_RESULTS_H
#define KVCPU_SIM_RESULTS_H

#include <map>
#include <string>
#include <unordered_map>

#include "point.h"

namespace kvcpu::sim {

/* Names of points. A name does not depend on the trace's path, the process or the machine. */
class Names {
  public:
    /* Returns a point's name. Reads each trace once for its digest. Throws std::runtime_error. */
    [[nodiscard]] std::string of(const Point &point);
    /* Returns the digest of this program, since another build may give other figures. */
    [[nodiscard]] static const std::string &program();

  private:
    std::map<std::string, std::string> digests_;  // by path
};

/*
 * The results of a sweep. They are JSON lines that are appended to one file under a lock. If the
 * path is a folder or ends with a slash, each point has a file of its own, which is renamed into
 * place. Several processes may share a file or a folder; processes on several machines must use a
 * folder. A line that was cut off when a process died is not counted, and is removed before the
 * next line. All functions throw std::runtime_error that names the file, and the line if there is
 * one.
 */
class Results {
  public:
    /* `-` is standard output, of which no earlier results are known. */
    explicit Results(std::string path);

    /* Returns the existing runs by name. Runs of another build are refused. */
    std::unordered_map<std::string, Json> known();
    /* Removes a line that was cut off. */
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
