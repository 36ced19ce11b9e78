/* create_errors: create bodies and the words with which dockerd 28.5 refuses them, those it takes,
 * and those that are refused here although moby takes them: it fails later, at the start, or never
 * tells. */
#pragma once

struct create_case {
    const char *body, *message;
};

/* Padding these columns to the longest would make lines of two hundred characters. */
/* clang-format off */
static const struct create_case refused[] = {
    {"{}", "config cannot be empty in order to create a container"},
    {"{\"Image\":\"bb\",\"StopSignal\":\"FOO\"}", "invalid signal: FOO"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"foo\"}}}",
     "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or "
     "'unless-stopped'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\","
     "\"MaximumRetryCount\":3}}}",
     "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"on-failure\","
     "\"MaximumRetryCount\":-3}}}",
     "invalid restart policy: maximum retry count cannot be negative"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":3}}"
     "}",
     "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}"
     "}}",
     "can't create 'AutoRemove' container with restart policy"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Memory\":4000000}}",
     "Minimum memory limit allowed is 6MB"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Memory\":-4}}", "Minimum memory limit allowed is 6MB"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"MemorySwap\":40000000}}",
     "You should always set the Memory limit when using Memoryswap limit, see usage"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Memory\":80000000,\"MemorySwap\":40000000}}",
     "Minimum memoryswap limit should be larger than memory limit, see usage"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"MemoryReservation\":80}}",
     "Minimum memory reservation allowed is 6MB"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Memory\":80000000,\"MemoryReservation\":90000000}}",
     "Minimum memory limit can not be less than memory reservation limit, see usage"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"MemorySwappiness\":101}}",
     "Invalid value: 101, valid memory swappiness range is 0-100"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NanoCpus\":1000000000,\"CpuQuota\":5000}}",
     "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NanoCpus\":1000000000,\"CpuPeriod\":5000}}",
     "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpuPeriod\":5}}",
     "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpuQuota\":5}}",
     "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpuShares\":-5}}",
     "invalid CPU shares (-5): value must be a positive integer"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpusetCpus\":\"foo\"}}",
     "Invalid value foo for cpuset cpus: invalid format: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"IOMaximumIOps\":5}}",
     "invalid option: QoS maximum IOPs configuration is not supported on linux"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"OomScoreAdj\":5000}}",
     "Invalid value 5000, range for oom score adj is [-1000, 1000]"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"ShmSize\":-1}}", "SHM size can not be less than 0"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Isolation\":\"hyperv\"}}",
     "invalid isolation (hyperv): linux only supports 'default'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Isolation\":\"foo\"}}",
     "invalid isolation (foo): linux only supports 'default'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:\"}}",
     "invalid network mode: invalid container format container:<name|id>"},
    {"{\"Image\":\"bb\",\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:a\"}}",
     "conflicting options: hostname and the network mode"},
    {"{\"Image\":\"bb\",\"Hostname\":\"x\",\"HostConfig\":{\"UTSMode\":\"host\"}}",
     "conflicting options: hostname and the UTS mode"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"UTSMode\":\"foo\"}}", "invalid UTS mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"IpcMode\":\"foo\"}}", "invalid IPC mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PidMode\":\"foo\"}}", "invalid PID mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PidMode\":\"container:\"}}",
     "invalid PID mode: container:"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CgroupnsMode\":\"foo\"}}",
     "invalid cgroup namespace mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"x/tcp\":[]}}}",
     "invalid port specification: \"x\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"foo\"}]}}}",
     "invalid port specification: \"foo\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"99999\"}]}}}",
     "invalid port specification: \"99999\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"9-5\"}]}}}",
     "invalid port specification: \"9-5\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80-90/tcp\":[{\"HostPort\":\"9\"}]}}}",
     "invalid port specification: \"80-90\""},
    {"{\"Image\":\"bb\",\"Env\":[\"=foo\"]}", "invalid environment variable: =foo"},
    {"{\"Image\":\"bb\",\"Env\":[\"\"]}", "invalid environment variable: "},
    {"{\"Image\":\"bb\",\"WorkingDir\":\"foo\"}",
     "the working directory 'foo' is invalid, it needs to be an absolute path"},
    {"{\"Image\":\"bb\",\"MacAddress\":\"foo\"}",
     "invalid config for network bridge: invalid MAC address foo"},
    {"{\"Image\":\"bb\",\"Healthcheck\":{\"Interval\":5}}",
     "Interval in Healthcheck cannot be less than 1ms"},
    {"{\"Image\":\"bb\",\"Healthcheck\":{\"Timeout\":5}}",
     "Timeout in Healthcheck cannot be less than 1ms"},
    {"{\"Image\":\"bb\",\"Healthcheck\":{\"Retries\":-5}}",
     "Retries in Healthcheck cannot be negative"},
    {"{\"Image\":\"bb\",\"Healthcheck\":{\"StartPeriod\":5}}",
     "StartPeriod in Healthcheck cannot be less than 1ms"},
    {"{\"Image\":\"bb\",\"Healthcheck\":{\"StartInterval\":5}}",
     "StartInterval in Healthcheck cannot be less than 1ms"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"foo\"]}}",
     "invalid volume specification: 'foo': invalid mount config for type \"volume\": invalid mount "
     "path: 'foo' mount path must be absolute"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"\"]}}", "invalid volume specification: ''"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/\"]}}",
     "invalid volume specification: '/': invalid mount config for type \"volume\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\":/foo\"]}}",
     "invalid volume specification: ':/foo'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/\"]}}",
     "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:b\"]}}",
     "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount "
     "path: 'b' mount path must be absolute"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"a:/b:/c\"]}}", "invalid mode: /c"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/b:foo\"]}}", "invalid mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/b:ro,rw\"]}}", "invalid mode: ro,rw"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/b:ro,shared,slave\"]}}",
     "invalid mode: ro,shared,slave"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/b:ro:rw\"]}}",
     "invalid volume specification: '/a:/b:ro:rw'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a:/b:nocopy\"]}}",
     "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": field "
     "VolumeOptions must not be specified"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"v:/b:shared\"]}}",
     "invalid volume specification: 'v:/b:shared': invalid mount config for type \"volume\": field "
     "BindOptions must not be specified"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/b\",\"/tmp:/b\"]}}",
     "Duplicate mount point: /b"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/"
     "b\"],\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/b\"}]}}",
     "Duplicate mount point: /b"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/b\"],\"Tmpfs\":{\"/b\":\"\"}}}",
     "Duplicate mount point: /b"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Tmpfs\":{\"b\":\"\"}}}",
     "invalid mount path: 'b' mount path must be absolute"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Tmpfs\":{\"/\":\"\"}}}",
     "invalid specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"nope\","
     "\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"bind\": invalid mount path: 'nope' mount path must be "
     "absolute"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"\",\"Target\":"
     "\"/b\"}]}}",
     "invalid mount config for type \"bind\": field Source must not be empty"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"\"}]}}",
     "invalid mount config for type \"bind\": field Target must not be empty"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"b\"}]}}",
     "invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"/\"}]}}",
     "invalid mount config for type \"bind\": invalid specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"foo\",\"Source\":\"/"
     "tmp\",\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"foo\": mount type unknown"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Source\":\"/tmp\",\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"\": mount type unknown"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"/b\",\"BindOptions\":{\"Propagation\":\"foo\"}}]}}",
     "invalid mount config for type \"bind\": invalid propagation mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"/b\",\"VolumeOptions\":{}}]}}",
     "VolumeOptions must not be specified on mount type \"bind\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"/"
     "tmp\",\"Target\":\"/b\",\"BindOptions\":{}}]}}",
     "BindOptions must not be specified on mount type \"volume\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"\","
     "\"Target\":\"/b\",\"ReadOnly\":true}]}}",
     "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous "
     "volumes"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"ab\","
     "\"Target\":\"/b\",\"VolumeOptions\":{\"Subpath\":\"../x\"}}]}}",
     "invalid mount config for type \"volume\": subpath must be a relative path within the volume"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"\","
     "\"Target\":\"/b\",\"VolumeOptions\":{\"Subpath\":\"x\"}}]}}",
     "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Source\":\"ab\","
     "\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"tmpfs\": field Source must not be specified"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"TmpfsOptions\":{\"Options\":[[\"foo\"]]}}]}}",
     "invalid mount config for type \"tmpfs\": invalid option: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"ab\","
     "\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"npipe\": mount type unknown"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"cluster\",\"Source\":\"ab\","
     "\"Target\":\"/b\"}]}}",
     "invalid mount config for type \"cluster\": mount type unknown"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"VolumesFrom\":[\"nope:foo\"]}}", "invalid mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"VolumesFrom\":[\"\"]}}",
     "volumes-from specification cannot be an empty string"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Links\":[\"a:b:c\"]}}", "bad format for links: a:b:c"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\"a\"]}}",
     "bad format for add-host: \"a\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\"a:b\"]}}",
     "invalid IP address in add-host: \"b\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\"a=1.2.3.4\"]}}",
     "bad format for add-host: \"a=1.2.3.4\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CapAdd\":[\"FOO\"]}}",
     "invalid CapAdd: unknown capability: \"CAP_FOO\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CapDrop\":[\"FOO\"]}}",
     "invalid CapDrop: unknown capability: \"CAP_FOO\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"foo\"]}}",
     "invalid --security-opt 1: \"foo\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"foo=bar\"]}}",
     "invalid --security-opt 2: \"foo=bar\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"no-new-privileges=x\"]}}",
     "invalid --security-opt 2: \"no-new-privileges=x\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"systempaths=unconfined\"]}}",
     "invalid --security-opt 2: \"systempaths=unconfined\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"StorageOpt\":{\"foo\":\"bar\"}}}", "Unknown option foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Annotations\":{\"\":\"b\"}}}",
     "invalid Annotations: the empty string is not permitted as an annotation key"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"host\",\"Links\":[\"a:b\"]}}",
     "conflicting options: host type networking can't be used with links. This would result in "
     "undefined behavior"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\",\"PortBindings\":{\"80/"
     "tcp\":[{\"HostPort\":\"80\"}]}}}",
     "conflicting options: port publishing and the container type network mode"},
    {"{\"Image\":\"bb\",\"ExposedPorts\":{\"80/"
     "tcp\":{}},\"HostConfig\":{\"NetworkMode\":\"container:a\"}}",
     "conflicting options: port exposing and the container type network mode"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\",\"Dns\":[\"1.1.1.1\"]}}",
     "conflicting options: dns and the network mode"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\",\"ExtraHosts\":[\"a:1.1.1."
     "1\"]}}",
     "conflicting options: custom host-to-IP mapping and the network mode"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\",\"PublishAllPorts\":true}}",
     "conflicting options: port publishing and the container type network mode"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"IPAMConfig\":{"
     "\"IPv4Address\":\"foo\"}}}}}",
     "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address "
     "is supported on user defined networks only\n* invalid IPv4 address: foo\n* user specified IP "
     "address is supported only when connecting to networks with user configured subnets"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"IPAMConfig\":{"
     "\"IPv4Address\":\"1.2.3.4\"}}}}}",
     "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address "
     "is supported on user defined networks only\n* user specified IP address is supported only "
     "when connecting to networks with user configured subnets"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"IPAMConfig\":{"
     "\"IPv6Address\":\"1.2.3.4\"}}}}}",
     "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address "
     "is supported on user defined networks only\n* invalid IPv6 address: 1.2.3.4\n* user "
     "specified IP address is supported only when connecting to networks with user configured "
     "subnets"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"MacAddress\":"
     "\"foo\"}}}}",
     "invalid config for network bridge: invalid MAC address foo"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"Aliases\":[\"x\"]}"
     "}}}",
     "invalid config for network bridge: invalid endpoint settings:\nnetwork-scoped alias is "
     "supported only for containers in user defined networks"},
    {"{\"Image\":\"bb\",\"Isolation\":\"x\",\"HostConfig\":{\"OomKillDisable\":true,"
     "\"OomScoreAdj\":-1001}}",
     "Invalid value -1001, range for oom score adj is [-1000, 1000]"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpusetCpus\":\"1-0\"}}",
     "Invalid value 1-0 for cpuset cpus: invalid format: 1-0"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpusetCpus\":\"a-b\"}}",
     "Invalid value a-b for cpuset cpus: invalid format: a-b"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpusetMems\":\"x\"}}",
     "Invalid value x for cpuset mems: invalid format: x"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CpuRealtimePeriod\":1000,\"CpuRealtimeRuntime\":5000}}",
     "cpu real-time runtime cannot be higher than cpu real-time period"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\",\"Links\":[\"a:b\"]}}",
     "conflicting options: container type network can't be used with links. This would result in "
     "undefined behavior"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CapAdd\":[\"\"]}}",
     "invalid CapAdd: unknown capability: \"CAP_\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"CapAdd\":[\"CAP_ALL\"]}}",
     "invalid CapAdd: unknown capability: \"CAP_ALL\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Links\":[\"\"]}}", "empty string specified for links"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\":1.2.3.4\"]}}",
     "bad format for add-host: \":1.2.3.4\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"writable-cgroups=x\"]}}",
     "invalid --security-opt 2: \"writable-cgroups=x\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"70000/tcp\":[{}]}}}",
     "invalid port specification: \"70000\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:ro,\"]}}", "invalid mode: ro,"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:\"]}}",
     "invalid volume specification: '/tmp:'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/b:copy\"]}}", "invalid mode: copy"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:z,Z\"]}}", "invalid mode: z,Z"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:bind-nonrecursive\"]}}",
     "invalid mode: bind-nonrecursive"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/foo:ro\"]}}",
     "invalid volume specification: '/foo:ro'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/foo\",\"ab:/foo/\"]}}",
     "Duplicate mount point: /foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"ab\","
     "\"Target\":\"/b\",\"TmpfsOptions\":{}}]}}",
     "TmpfsOptions must not be specified on mount type \"volume\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"BindOptions\":{}}]}}",
     "BindOptions must not be specified on mount type \"tmpfs\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
     "tmp\",\"Target\":\"/b\",\"ImageOptions\":{}}]}}",
     "invalid mount config for type \"bind\": field ImageOptions must not be specified"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"ab\","
     "\"Target\":\"/b\",\"VolumeOptions\":{\"Subpath\":\"/x\"}}]}}",
     "invalid mount config for type \"volume\": subpath must be a relative path within the volume"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"TmpfsOptions\":{\"Options\":[[\"size\",\"5\"]]}}]}}",
     "invalid mount config for type \"tmpfs\": invalid option: size"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"TmpfsOptions\":{\"Options\":[[]]}}]}}",
     "invalid mount config for type \"tmpfs\": invalid option array length"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"TmpfsOptions\":{\"Options\":[[\"uid\",\"a\",\"b\"]]}}]}}",
     "invalid mount config for type \"tmpfs\": invalid option array length"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[null]}}",
     "invalid mount config for type \"\": field Target must not be empty"},
    {"{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":null}}}",
     "invalid config for network bridge: EndpointsConfig is nil"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"n2\"},\"NetworkingConfig\":{"
     "\"EndpointsConfig\":{\"n2\":{\"Aliases\":[\"\"],\"IPAMConfig\":{\"IPv4Address\":\"300.1.1."
     "1\"}}}}}",
     "invalid config for network n2: invalid endpoint settings:\ninvalid IPv4 address: 300.1.1.1"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"n2\"},\"NetworkingConfig\":{"
     "\"EndpointsConfig\":{\"n2\":{\"IPAMConfig\":{\"IPv4Address\":\"1.2.3.4\",\"IPv6Address\":\"1:"
     ":2\",\"LinkLocalIPs\":[\"x\"]}}}}}",
     "invalid config for network n2: invalid endpoint settings:\ninvalid link-local IP address: x"},
    {"{\"Image\":\"bb\",\"StopSignal\":\"0\"}", "invalid signal: 0"},
    {"{\"Image\":\"bb\",\"StopSignal\":\"RTMIN+16\"}", "invalid signal: RTMIN+16"},
    {"null", "config cannot be empty in order to create a container"},
};

static const struct create_case stricter[] = {
    {"{\"Image\":\"bb\",\"StopSignal\":\"99\"}", "invalid signal: 99"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"BlkioWeight\":5}}",
     "Range of blkio weight is from 10 to 1000"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"UsernsMode\":\"foo\"}}", "invalid USER mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/foo\":[]}}}", "invalid proto: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/"
     "tcp\":[{\"HostIp\":\"foo\",\"HostPort\":\"9\"}]}}}",
     "invalid IP address: foo"},
    {"{\"Image\":\"bb\",\"ExposedPorts\":{\"x\":{}}}", "invalid port specification: \"x\""},
    {"{\"Image\":\"bb\",\"ExposedPorts\":{\"80/foo\":{}}}", "invalid proto: foo"},
    {"{\"Image\":\"bb\",\"Hostname\":\"foo bar\"}", "invalid hostname format: foo bar"},
    {"{\"Image\":\"bb\",\"Hostname\":\"this-name-is-very-long-this-name-is-very-long-this-name-is-"
     "very-long-this\"}",
     "invalid hostname: this-name-is-very-long-this-name-is-very-long-this-name-is-very-long-this "
     "is longer than 64 characters"},
    {"{\"Image\":\"bb\",\"Volumes\":{\"\":{}}}",
     "invalid volume specification: '': invalid mount config for type \"volume\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"Volumes\":{\"/\":{}}}",
     "invalid volume specification: '/': invalid mount config for type \"volume\": invalid "
     "specification: destination can't be '/'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
     "b\",\"TmpfsOptions\":{\"SizeBytes\":-1}}]}}",
     "invalid mount config for type \"tmpfs\": SizeBytes must not be negative"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Dns\":[\"foo\"]}}", "invalid DNS server address: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Ulimits\":[{\"Name\":\"foo\",\"Soft\":1,\"Hard\":1}]}}",
     "invalid ulimit type: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":3,\"Hard\":1}]}"
     "}",
     "ulimit soft limit must be less than or equal to hard limit: 3 > 1"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Devices\":[{\"PathOnHost\":\"/dev/"
     "null\",\"PathInContainer\":\"/dev/x\",\"CgroupPermissions\":\"foo\"}]}}",
     "invalid device mode: foo"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"DeviceCgroupRules\":[\"foo\"]}}",
     "invalid device cgroup rule format: 'foo'"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Ulimits\":[{\"Name\":\"\",\"Soft\":1,\"Hard\":1}]}}",
     "invalid ulimit type: "},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"BlkioWeight\":5000}}",
     "Range of blkio weight is from 10 to 1000"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"IpcMode\":\"container:\"}}",
     "invalid IPC mode: container:"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"Dns\":[\"1.2.3\"]}}",
     "invalid DNS server address: 1.2.3"},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"0/tcp\":[{}]}}}",
     "invalid port specification: \"0\""},
    {"{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"\":[{}]}}}",
     "invalid port specification: \"\""},
    {"{\"Image\":\"bb\",\"StopSignal\":\"-1\"}", "invalid signal: -1"},
    {"{\"Image\":\"bb\",\"Domainname\":\"foo bar\"}", "invalid domain name: \"foo bar\""},
};

static const char *const accepted[] = {
    "{\"Image\":\"bb\",\"HostConfig\":{\"DeviceRequests\":[{\"Driver\":\"\",\"Count\":-1,"
    "\"Capabilities\":[[\"gpu\"]]}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Memory\":80000000,\"MemorySwap\":-2}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CpuPercent\":5}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CpuCount\":5}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"ShmSize\":1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:nope\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"nope\"}}",
    "{\"Image\":\"bb\",\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CgroupnsMode\":\"private\",\"Privileged\":true}}",
    "{\"Image\":\"bb\",\"ExposedPorts\":{\"80-82/tcp\":{}}}",
    "{\"Image\":\"bb\",\"Env\":[\"foo\"]}",
    "{\"Image\":\"bb\",\"StopTimeout\":-5}",
    "{\"Image\":\"bb\",\"Healthcheck\":{\"Test\":[\"FOO\"]}}",
    "{\"Image\":\"bb\",\"Healthcheck\":{\"Test\":[\"CMD\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"ConsoleSize\":[1]}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"foo\":{}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/foo\"]}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"/b\":{}},\"HostConfig\":{\"Tmpfs\":{\"/b\":\"\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Tmpfs\":{\"/b\":\"foo\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
    "b\",\"TmpfsOptions\":{\"Options\":[[\"exec\",\"x\"]]}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
    "tmp\",\"Target\":\"/"
    "b\",\"BindOptions\":{\"NonRecursive\":true,\"ReadOnlyForceRecursive\":true}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
    "tmp\",\"Target\":\"/"
    "b\",\"BindOptions\":{\"ReadOnlyNonRecursive\":true,\"ReadOnlyForceRecursive\":true}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
    "tmp\",\"Target\":\"/b\",\"BindOptions\":{\"ReadOnlyForceRecursive\":true}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CapAdd\":[\"all\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"seccomp=x\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"label=x\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"apparmor=x\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Devices\":[{\"PathOnHost\":\"/nope\"}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"PidsLimit\":-5}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Sysctls\":{\"foo\":\"b\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},\"NetworkMode\":"
    "\"host\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Sysctls\":{\"kernel.shmmax\":\"1\"},\"IpcMode\":\"host\"}"
    "}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"GroupAdd\":[\"nope\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Cgroup\":\"foo\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CgroupParent\":\"foo bar\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"host\",\"PortBindings\":{\"80/"
    "tcp\":[{\"HostPort\":\"80\"}]}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"host\"},\"NetworkingConfig\":{"
    "\"EndpointsConfig\":{\"bridge\":{}}}}",
    "{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"nope\":{}}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Sysctls\":{\"\":\"b\"}}}",
    "{\"Image\":\"bb\",\"Labels\":{\"\":\"b\"}}",
    "{\"Image\":\"bb\",\"User\":\"nosuch\"}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CpuRealtimePeriod\":-1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"container:a\"},\"MacAddress\":\"02:42:ac:"
    "11:00:02\"}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CapAdd\":[\"cap_sys_admin\"],\"Privileged\":true}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\"a:host-gateway\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"ExtraHosts\":[\"a:::1\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"DnsOptions\":[\"x\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"no-new-privileges:true\",\"label:"
    "disable\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"label=disable\",\"no-new-privileges="
    "false\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"writable-cgroups=false\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"SecurityOpt\":[\"seccomp=unconfined\",\"apparmor="
    "unconfined\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/TCP\":[{\"HostPort\":\"0\"}]}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/sctp\":[{\"HostPort\":\"0-0\"}]}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[null]}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/a/../b/:/c/./d/\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/b:nocopy,ro\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:cached\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"/tmp:/b:delegated,ro\"]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Binds\":[\"ab:/b:z\"]}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"/b\":{}},\"HostConfig\":{\"Binds\":[\"ab:/b\"]}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"/b/\":{},\"/b\":{}}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"ab:/b\":{}}}",
    "{\"Image\":\"bb\",\"Volumes\":{\"/a:/b\":{}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/"
    "tmp\",\"Target\":\"/b\",\"ClusterOptions\":{}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
    "b\",\"TmpfsOptions\":{\"Options\":[[\"exec\"],[\"noexec\"]]}}]}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Tmpfs\":{\"/b\":\"size=foo\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Tmpfs\":{\"/b\":\"ro,noexec,foo=bar\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"Annotations\":{\"a b\":\"b\"}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"PidsLimit\":-1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"KernelMemory\":1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"KernelMemoryTCP\":1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CpuShares\":1}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"UsernsMode\":\"host\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"CgroupParent\":\"/foo\"}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"OomKillDisable\":true}}",
    "{\"Image\":\"bb\",\"HostConfig\":null}",
    "{\"Image\":\"bb\",\"NetworkingConfig\":null}",
    "{\"Image\":\"bb\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{},\"n2\":{}}}}",
    "{\"Image\":\"bb\",\"HostConfig\":{\"NetworkMode\":\"n2\"},\"NetworkingConfig\":{"
    "\"EndpointsConfig\":{\"n2\":{\"Links\":[\"a:b:c\"],\"DriverOpts\":{\"com.docker.network."
    "endpoint.ifname\":\"a/b\"}}}}}",
    "{\"Image\":\"bb\",\"StopSignal\":\"SIGRTMIN+3\"}",
    "{\"Image\":\"bb\",\"StopSignal\":\"rtmax-1\"}",
    "{\"Image\":\"bb\",\"StopSignal\":\"sigterm\"}",
    "{\"Image\":\"bb\",\"StopSignal\":\"Cld\"}",
    "{\"Image\":\"bb\",\"Env\":[\"A\",\"B=1\",\"A=2\"]}",
    "{\"Image\":\"bb\",\"Entrypoint\":[]}",
    "{\"Image\":\"bb\",\"Cmd\":\"\"}",
    "{\"Image\":\"bb\",\"ExposedPorts\":{\"80-90/tcp\":{}}, "
    "\"HostConfig\":{\"PublishAllPorts\":true}}",
    "{\"Image\":\"bb\",\"WorkingDir\":\"/a/../b\"}",
    "{\"Image\":\"bb\",\"Hostname\":\"-foo\"}",
};
/* clang-format on */
