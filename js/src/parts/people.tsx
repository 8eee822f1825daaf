/** Those who use a collection: by node, with the task that it is. */

import type { Person } from "../rows";

export function People({ people, count }: { people: Person[]; count: number }) {
  return (
    <ul class="people">
      {people.map((person, place) => (
        <li key={`${place}-${person[0]}-${person[1]}`}>{called(person)}</li>
      ))}
      {count > people.length && <li class="more">and {count - people.length} more</li>}
    </ul>
  );
}

export function called([node, task, label]: Person) {
  const what = label !== "" ? label : task > 0 && node !== null ? `task ${task}` : "";
  return (
    <>
      {node === null ? "the notebook" : `node ${node}`}
      {what !== "" && (
        <span class="quiet" title={`task ${task}`}>
          {" "}
          {what}
        </span>
      )}
    </>
  );
}
