/*
 * state_internal: the connection, statements, and transactions, for the files of state/.
 *
 * Every public call is one transaction: tx_begin() takes the lock and starts it, tx_commit() ends
 * both, and leaving the scope without a commit rolls back.  A statement is prepared once and found
 * by the address of its text, so a text is a static array of the file that uses it.
 *
 * No callback of a caller ever runs under the lock: rows are collected first and told afterwards,
 * so a callback may call state_*() again.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sync.h"
#include "state/state.h"

#define STMTS_MAX  64
#define RECORD_MAX (16 << 20) /* one JSON text */

struct stmt_slot {
    const char *sql;
    sqlite3_stmt *stmt;
};

struct state {
    struct mutex lock;
    sqlite3 *db;
    char *path;
    bool full_sync; /* what PRAGMA synchronous is set to now */
    struct stmt_slot stmts[STMTS_MAX];
    size_t n_stmts;
};

/* state_error.c: what SQLite says, in words that name the file and what to do. */
int db_error(struct state *st, struct err *e, const char *doing);
int db_exec(struct state *st, const char *sql, struct err *e);

/* schema.c */
int schema_migrate(struct state *st, struct err *e);
int schema_check(struct state *st, const char *pragma, struct err *e);
int64_t schema_newest(void);

/* stmt.c: NULL when it cannot be prepared.  Returned ready: reset, nothing bound. */
sqlite3_stmt *stmt_get(struct state *st, const char *sql, struct err *e);
void stmt_finalize_all(struct state *st);
/* 't': const char * (NULL is written as ""), 'i': int64_t.  The texts must live until the step. */
void stmt_bind(sqlite3_stmt *s, const char *types, ...);
/* One that gives no rows. */
int stmt_run(struct state *st, sqlite3_stmt *s, const char *doing, struct err *e);
/* 1: a row, 0: none left, -1: error. */
int stmt_next(struct state *st, sqlite3_stmt *s, const char *doing, struct err *e);
const char *col_text(sqlite3_stmt *s, int i); /* never NULL; until the next step */
char *col_dup(sqlite3_stmt *s, int i);
int col_json(struct state *st, sqlite3_stmt *s, int i, const char *what, struct json_doc *doc,
             struct err *e);

/* tx.c: the lock is held from the begin to the end, which no annotation can say of a struct. */
struct tx {
    struct state *st;
};
int tx_begin(struct state *st, bool durable, struct tx *tx, struct err *e) NO_LOCK_CHECK;
int tx_commit(struct tx *tx, struct err *e) NO_LOCK_CHECK;
void tx_end(struct tx *tx) NO_LOCK_CHECK; /* rolls back what was not committed */
#define cleanup_tx CLEANUP(tx_end)

/* Rows of a query, read under the lock into objects of the caller's kind, told afterwards. */
struct rows {
    void **v;
    size_t n;
    void (*free)(void *); /* set by read_rows() */
};
/* Makes an object of the row; NULL with *e set when it cannot. */
typedef void *row_fn(struct state *st, sqlite3_stmt *s, struct err *e);
int read_rows(struct state *st, const char *sql, const char *doing, row_fn *make,
              void (*free_fn)(void *), struct rows *out, struct err *e, const char *types, ...);
void rows_release(struct rows *r);
#define cleanup_rows CLEANUP(rows_release)

/* A whole transaction of one statement. */
int write_one(struct state *st, bool durable, const char *sql, const char *doing, struct err *e,
              const char *types, ...);
