import { Component, type ReactNode } from 'react';
import { asProblem } from '@/api/problem';
import { ProblemNote } from './ProblemNote';

interface BoundaryProps {
  /** Where one is: somewhere else, it is tried again. */
  place: string;
  onError: (error: unknown) => void;
  children: ReactNode;
}

/** Shows what is wrong in the place of a page that could not be loaded, or failed. */
export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidCatch(error: unknown) {
    this.props.onError(error);
  }

  override componentDidUpdate(before: BoundaryProps) {
    if (before.place !== this.props.place && this.state.error !== null) this.setState({ error: null });
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <main id="main" className="page" tabIndex={-1}>
        {/* A part that could not be loaded is not asked for again by this page. */}
        <ProblemNote error={asProblem(this.state.error)} onRetry={() => location.reload()} />
      </main>
    );
  }
}
