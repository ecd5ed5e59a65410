//! Names of nginx's that are not served, so that the message says so and names no wrong neighbour.

use super::Contexts;

/// The area to come that a name belongs to.
pub(super) fn area(name: &str, context: Contexts) -> Option<&'static str> {
    let listed = |names: &str| names.split_ascii_whitespace().any(|listed| listed == name);
    AREAS.iter().find(|area| area.contexts.contains(context) && listed(area.names)).map(|area| area.title)
}

/// The names that may be written in a context.
pub(super) fn names(context: Contexts) -> impl Iterator<Item = &'static str> {
    let areas = AREAS.iter().filter(move |area| area.contexts.contains(context));
    areas.flat_map(|area| area.names.split_ascii_whitespace())
}

/// What to say of an area's names.
pub(crate) fn outlook(area: &str) -> String {
    match area {
        OCSP => {
            "no authority is asked about clients' certificates: \"ssl_crl FILE;\" has those that are revoked".to_owned()
        }
        _ => format!("{area}: to come"),
    }
}

/// What rustls has not: it verifies with what is at hand, in the handshake, and waits for nobody.
const OCSP: &str = "what an authority says of clients' certificates";

/// Each area's title and its names.
pub(super) fn areas() -> impl Iterator<Item = (&'static str, &'static str)> {
    AREAS.iter().map(|area| (area.title, area.names))
}

struct Area {
    title: &'static str,
    contexts: Contexts,
    /// Names with blanks between them.
    names: &'static str,
}

const AREAS: &[Area] = &[
    Area {
        title: "static files",
        contexts: Contexts::ALL,
        names: "create_full_put_path dav_access dav_methods empty_gif \
            flv image_filter min_delete_depth mp4 random_index slice",
    },
    Area {
        title: "response headers and error pages",
        contexts: Contexts::ALL,
        names: "add_header_inherit add_trailer_inherit early_hints \
            proxy_pass_trailers userid userid_domain \
            userid_expires userid_name userid_path userid_service",
    },
    Area {
        title: "rewriting and conditions",
        contexts: Contexts::ALL,
        names: "add_after_body add_before_body addition_types internal_redirect \
            mirror mirror_request_body num_map post_action \
            referer_hash_bucket_size referer_hash_max_size ssi \
            ssi_silent_errors ssi_types sub_filter sub_filter_last_modified sub_filter_once \
            sub_filter_types valid_referers",
    },
    Area {
        title: "access control and limits",
        contexts: Contexts::ALL,
        names: "auth_delay auth_jwt auth_jwt_key_file auth_jwt_key_request auth_jwt_type auth_oidc \
            keyval keyval_zone oidc_provider secure_link secure_link_md5 \
            secure_link_secret",
    },
    Area {
        title: "compression",
        contexts: Contexts::ALL,
        names: "brotli brotli_comp_level brotli_static brotli_types zstd",
    },
    Area {
        title: "caching",
        contexts: Contexts::ALL,
        names: "proxy_cache proxy_cache_background_update proxy_cache_convert_head \
            proxy_cache_key proxy_cache_lock proxy_cache_lock_age proxy_cache_lock_timeout \
            proxy_cache_max_range_offset proxy_cache_methods proxy_cache_min_uses proxy_cache_path \
            proxy_cache_purge proxy_cache_revalidate proxy_cache_use_stale proxy_cache_valid \
            proxy_store proxy_store_access",
    },
    Area {
        title: "logging",
        contexts: Contexts::ALL,
        names: "session_log session_log_format \
            session_log_zone",
    },
    Area {
        title: "buffering",
        contexts: Contexts::ALL,
        names: "client_body_in_file_only max_headers proxy_force_ranges proxy_limit_rate",
    },
    Area {
        title: "more of proxying",
        contexts: Contexts::ALL,
        names: "client_body_min_rate proxy_allow_upstream proxy_request_dynamic \
            proxy_upgrade",
    },
    Area { title: "TLS to upstreams", contexts: Contexts::ALL, names: "proxy_ssl_certificate_cache proxy_ssl_key_log" },
    Area {
        title: "more of TLS",
        contexts: Contexts::ALL,
        names: "acme_certificate acme_issuer acme_shared_zone ssl_certificate_cache \
            ssl_certificate_compression ssl_ech_file ssl_engine ssl_handshake_timeout ssl_key_log \
            ssl_object_cache_inheritable",
    },
    Area { title: OCSP, contexts: Contexts::ALL, names: "ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder" },
    Area {
        title: "HTTP/3",
        contexts: Contexts::ALL,
        names: "http3 http3_hq http3_max_concurrent_streams http3_stream_buffer_size \
            quic_active_connection_id_limit quic_bpf quic_gso quic_host_key quic_retry",
    },
    Area {
        title: "more ways to choose a server",
        contexts: Contexts::ALL,
        names: "ntlm sticky_cookie_insert upstream_conf",
    },
    Area { title: "health checks and pages about them", contexts: Contexts::ALL, names: "status status_format" },
    Area { title: "client addresses from a proxy", contexts: Contexts::ALL, names: "proxy_protocol_timeout" },
    Area {
        title: "more of client connections",
        contexts: Contexts::ALL,
        names: "keepalive_min_timeout request_id_header",
    },
    Area {
        title: "other protocols",
        contexts: Contexts::ALL,
        names: "access_by_lua_block content_by_lua_block fastcgi_buffer_size fastcgi_buffers \
            fastcgi_busy_buffers_size fastcgi_cache fastcgi_cache_bypass fastcgi_cache_key \
            fastcgi_cache_path fastcgi_cache_valid fastcgi_connect_timeout fastcgi_hide_header \
            fastcgi_index fastcgi_intercept_errors fastcgi_keep_conn fastcgi_next_upstream \
            fastcgi_no_cache fastcgi_param fastcgi_pass fastcgi_read_timeout fastcgi_send_timeout \
            fastcgi_split_path_info fastcgi_temp_file_write_size geoip_city \
            geoip_country geoip_org google_perftools_profiles grpc_connect_timeout \
            grpc_next_upstream grpc_pass grpc_read_timeout grpc_send_timeout grpc_set_header \
            grpc_ssl_verify js_access js_body_filter js_content js_header_filter js_import \
            js_include js_path js_set js_var lua_package_path mail memcached_pass mgmt perl \
            perl_modules perl_require perl_set scgi_param scgi_pass stream \
            tunnel_pass uwsgi_buffer_size uwsgi_buffers uwsgi_connect_timeout uwsgi_param uwsgi_pass \
            uwsgi_read_timeout uwsgi_send_timeout xslt_stylesheet",
    },
];
