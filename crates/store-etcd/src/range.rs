//! Listing a page.

use ambo_store::port::{PAGE_BYTES_MAX, VALUE_BYTES_MAX};
use ambo_store::{Listing, Page, StoreError};
use etcd_client::{Client, GetOptions, GetResponse, SortOrder, SortTarget};

use crate::failure::{Failure, is_compacted, store_error};
use crate::keys::{Keys, revision};
use crate::members::Members;

/// Entries of one answer of etcd's: together they stay below [`MESSAGE_BYTES_MAX`] however large their values are.
const CHUNK_ENTRIES: usize = 32;
/// Largest answer that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = (CHUNK_ENTRIES + 1) * VALUE_BYTES_MAX;

/// Lists a page.
pub(crate) async fn list(
    members: &Members,
    keys: &Keys,
    prefix: &str,
    page: &Page,
    limit: usize,
) -> Result<Listing, StoreError> {
    loop {
        match gather(members, keys, prefix, page, limit).await {
            // Its revision has gone while it was read: begin with the present one.
            Err(failure) if is_compacted(failure.error()) => {}
            gathered => return gathered.map_err(|failure| store_error("list keys", failure)),
        }
    }
}

/// Gathers a page from chunks of one revision.
async fn gather(members: &Members, keys: &Keys, prefix: &str, page: &Page, limit: usize) -> Result<Listing, Failure> {
    let (mut start, mut end) = keys.page(prefix, page);
    let (mut entries, mut bytes, mut at) = (Vec::new(), 0, None);
    loop {
        let count = CHUNK_ENTRIES.min(limit - entries.len());
        let chunk = chunk(members, &start, &end, count, page.descending, at).await?;
        let revision_of_page =
            *at.get_or_insert_with(|| chunk.header().map_or(0, etcd_client::ResponseHeader::revision));
        for found in chunk.kvs() {
            bytes += found.value().len();
            entries.push(keys.entry(found));
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        let are_all_taken = chunk
            .kvs()
            .last()
            .is_none_or(|last| entries.last().is_some_and(|taken| keys.short(last.key()) == taken.key));
        let is_full = entries.len() >= limit || bytes >= PAGE_BYTES_MAX;
        if is_full || !chunk.more() {
            let more = chunk.more() || !are_all_taken;
            return Ok(Listing { entries, more, revision: revision(revision_of_page) });
        }
        if let Some(last) = chunk.kvs().last() {
            match page.descending {
                true => end = last.key().to_vec(),
                false => start = [last.key(), &[0]].concat(),
            }
        }
    }
}

async fn chunk(
    members: &Members,
    start: &[u8],
    end: &[u8],
    count: usize,
    descending: bool,
    at: Option<i64>,
) -> Result<GetResponse, Failure> {
    let order = if descending { SortOrder::Descend } else { SortOrder::Ascend };
    let options = GetOptions::new()
        .with_range(end)
        .with_limit(i64::try_from(count).unwrap_or(i64::MAX))
        .with_sort(SortTarget::Key, order)
        .with_revision(at.unwrap_or(0));
    let ask = |client: Client| {
        let mut client = client.kv_client().max_decoding_message_size(MESSAGE_BYTES_MAX);
        let (start, options) = (start.to_vec(), options.clone());
        async move { client.get(start, Some(options)).await }
    };
    members.call(ask).await
}
