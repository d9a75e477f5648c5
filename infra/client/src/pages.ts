/** A page by cursor. */
export interface Page<T> {
  items: T[];
  nextCursor?: string | null;
}

/** Every item, a page at a time: the next page is asked for when the one before is used up. */
export async function* everyItem<T>(read: (after: string) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let after: string | null | undefined = "";
  do {
    const page: Page<T> = await read(after);
    yield* page.items;
    after = page.nextCursor;
  } while (after);
}
