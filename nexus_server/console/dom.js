// What the views are made of: htm's templates, bound to Preact.
// Every value in a template becomes text or a property, never markup.
import { h } from "./vendor/preact.js";
import { useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { Fragment, render } from "./vendor/preact.js";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";

let ids = 0;

/** An id that no other element of the page has: Preact's own repeats where a view is shown later than another. */
export const useId = () => useState(() => `id-${(ids += 1)}`)[0];
